"""Which forms that follow each other are fused: a tuning file, which cannot affect correctness.

A line names two or more forms; braces stand for each of the alternatives within.  The beginnings of
a chain are fused as well.

Most lines are the answer of ``bench/pairs.py`` to the C programs of ``bench``, weighed against the
code of two large modules that were compiled from C++.
"""

CHAINS = """
{br_if A->IF,br_if A->IF + i32.add SK->SLOT,br_if S->UNLESS,copy S->SLOT} + i32.add SK->SLOT
{copy S->SLOT + copy S->SLOT,f32.add AS->ACC + f32.add AS->SLOT} + i32.add SK->SLOT
{f32.add AS->SLOT,f64.add AS->ACC + f64.store SA,f64.add AS->SLOT} + i32.add SK->SLOT
{f64.add AS->SLOT + i32.add SK->SLOT,f64.add AS->SLOT + i32.add SS->SLOT} + i32.add SK->SLOT
{f64.load S->SLOT,f64.mul AS->ACC + f64.add AS->SLOT,f64.store SA} + i32.add SK->SLOT
{f64.store SA + copy S->SLOT,f64.sub SA->ACC + f64.store SA} + i32.add SK->SLOT
{i32.add AK->ACC + i32.store8 SA,i32.add AK->SLOT} + i32.add SK->SLOT
{i32.add AK->SLOT + i32.load A->SLOT,i32.add AS->ACC + i32.store SA} + i32.add SK->SLOT
{i32.add AS->SLOT,i32.add AS->SLOT + i32.const K->SLOT} + i32.add SK->SLOT
{i32.add AS->SLOT + i32.load S->SLOT,i32.add SK->ACC + i32.add AK->SLOT} + i32.add SK->SLOT
{i32.add SK->ACC + i32.store8 AS,i32.add SK->SLOT} + i32.add SK->SLOT
{i32.add SK->SLOT + copy S->SLOT,i32.add SK->SLOT + i32.add SK->SLOT} + i32.add SK->SLOT
{i32.add SK->SLOT + i32.add SS->SLOT,i32.add SK->SLOT + i32.gt_s AS->SLOT} + i32.add SK->SLOT
{i32.add SK->SLOT + i32.load8_u A->SLOT,i32.add SS->SLOT} + i32.add SK->SLOT
{i32.add SS->SLOT + i32.add SK->SLOT,i32.add SS->SLOT + i32.add SS->SLOT} + i32.add SK->SLOT
{i32.const K->SLOT,i32.gt_s AS->SLOT,i32.load A->ACC + i32.store SA} + i32.add SK->SLOT
{i32.load A->SLOT,i32.load S->SLOT,i32.load8_u A->ACC + i32.add AS->SLOT} + i32.add SK->SLOT
{i32.load8_u A->ACC + i32.store8 SA,i32.load8_u A->SLOT,i32.load8_u S->SLOT} + i32.add SK->SLOT
{i32.lt_s SK->IF,i32.shr_u SK->ACC + i32.xor AS->SLOT,i32.store SA} + i32.add SK->SLOT
{i32.store SA + i32.add SK->SLOT,i32.store SA + i32.store SS,i32.store SS} + i32.add SK->SLOT
{i32.store SS + i32.add SK->SLOT,i32.store8 AS,i32.store8 SA} + i32.add SK->SLOT
{i32.store8 SA + i32.store8 SS,i32.store8 SS,i32.xor AS->SLOT} + i32.add SK->SLOT
{i64.load S->ACC + i64.store SA,i64.store SA,i64.store SK} + i32.add SK->SLOT
{br_if S->UNLESS,copy S->SLOT,copy S->SLOT + copy S->SLOT} + copy S->SLOT
{copy S->SLOT + i32.xor SS->SLOT,copy_ref R->REF + global.set S} + copy S->SLOT
{f64.add AS->ACC + f64.store SA,f64.store SA,i32.add AS->SLOT + i32.add SS->SLOT} + copy S->SLOT
{i32.add SK->SLOT,i32.add SK->SLOT + i32.add SK->SLOT,i32.add SS->SLOT} + copy S->SLOT
{i32.add SS->SLOT + copy S->SLOT,i32.const K->SLOT} + copy S->SLOT
{i32.const K->SLOT + copy S->SLOT,i32.gt_u SK->SLOT,i32.load A->SLOT} + copy S->SLOT
{i32.load A->SLOT + copy S->SLOT,i32.load A->SLOT + i32.add SK->SLOT} + copy S->SLOT
{i32.load S->ACC + i32.sub AS->SLOT,i32.load S->SLOT} + copy S->SLOT
{i32.load S->SLOT + copy S->SLOT,i32.load8_u S->ACC + br_if A->IF} + copy S->SLOT
{i32.or SS->ACC + i32.shr_u AK->SLOT,i32.shr_u AK->SLOT,i32.store SA} + copy S->SLOT
{i32.store8 AS,i32.sub AS->SLOT,i32.xor AS->ACC + i32.add AS->SLOT} + copy S->SLOT
{i32.xor SS->SLOT,ref_frame} + copy S->SLOT
{i32.add AS->ACC + i32.load A->ACC,i32.add AS->ACC + i32.load8_u A->ACC} + i32.add AS->SLOT
{i32.add AS->ACC + i32.mul AK->ACC,i32.add AS->SLOT,i32.add SK->ACC} + i32.add AS->SLOT
{i32.add SK->ACC + i32.load A->ACC,i32.add SK->SLOT + i32.shl SK->ACC} + i32.add AS->SLOT
{i32.add SS->ACC + i32.load8_u A->ACC,i32.and SS->ACC + i32.xor AS->ACC} + i32.add AS->SLOT
{i32.load A->ACC,i32.load S->ACC,i32.load S->ACC + i32.shl AK->ACC} + i32.add AS->SLOT
{i32.load8_u A->ACC,i32.mul AK->ACC,i32.mul SK->ACC,i32.mul SS->ACC} + i32.add AS->SLOT
{i32.rem_u AS->ACC + i32.shl AK->ACC,i32.rotl SK->ACC + i32.xor AS->ACC} + i32.add AS->SLOT
{i32.shl AK->ACC,i32.shl SK->ACC,i32.shr_u AK->ACC} + i32.add AS->SLOT
{i32.shr_u SK->ACC + i32.xor AS->ACC,i32.xor AS->ACC} + i32.add AS->SLOT
i32.xor SK->ACC + i32.shr_u AK->ACC + i32.add AS->SLOT
{f32.load A->ACC + f32.mul AS->SLOT,f32.load A->SLOT,f32.mul AS->SLOT} + i32.add SK->ACC
{f64.load A->ACC + f64.sub SA->SLOT,f64.load A->SLOT + f64.mul AS->SLOT} + i32.add SK->ACC
{f64.mul AS->SLOT,f64.mul AS->SLOT + f64.mul SS->SLOT,f64.mul SS->SLOT} + i32.add SK->ACC
{f64.sub SA->SLOT,i32.add AK->SLOT,i32.add AS->SLOT} + i32.add SK->ACC
{i32.add SK->ACC + f32.load A->SLOT,i32.add SK->ACC + i32.load8_u A->SLOT} + i32.add SK->ACC
{i32.add SK->ACC + i32.store AS,i32.add SK->SLOT} + i32.add SK->ACC
{i32.add SS->ACC + i32.load8_u A->SLOT,i32.and AK->SLOT} + i32.add SK->ACC
{i32.load A->ACC + i32.add AS->SLOT,i32.load S->ACC + i32.add AS->SLOT} + i32.add SK->ACC
{i32.load8_u A->SLOT,i32.store AS,i32.store SA} + i32.add SK->ACC
i32.xor AS->ACC + i32.add AS->SLOT + i32.add SK->ACC
i32.add SK->SLOT + {br ->LOOP,br_if A->LOOP_IF,br_if S->LOOP_IF,call,f64.load A->ACC}
i32.add SK->SLOT + {f64.mul SS->ACC,i32.add SS->SLOT,i32.and AK->SLOT,i32.const K->SLOT}
i32.add SK->SLOT + {i32.gt_s AS->SLOT,i32.gt_u SK->SLOT,i32.load S->SLOT,i32.load8_u A->ACC}
i32.add SK->SLOT + {i32.load8_u A->SLOT,i32.lt_u AS->LOOP_IF,i32.ne AK->LOOP_IF}
i32.add SK->SLOT + {i32.ne AS->LOOP_IF,i32.shl AK->ACC,i32.shl SK->ACC,i32.store SA}
i32.add SK->SLOT + i64.add SK->SLOT
{i32.add AS->ACC + i32.mul AK->ACC,i32.add AS->SLOT + i32.add SK->ACC} + i32.add AS->ACC
{i32.add SK->ACC,i32.add SK->ACC + i32.and AK->SLOT} + i32.add AS->ACC
{i32.add SK->SLOT + i32.and AK->SLOT,i32.add SK->SLOT + i32.shl AK->ACC} + i32.add AS->ACC
{i32.add SK->SLOT + i32.shl SK->ACC,i32.add SS->ACC + i32.load8_u A->ACC} + i32.add AS->ACC
{i32.and AK->SLOT,i32.load S->ACC + i32.shl AK->ACC} + i32.add AS->ACC
{i32.load S->SLOT + i32.mul SK->ACC,i32.mul AK->ACC,i32.mul SK->ACC} + i32.add AS->ACC
{i32.shl AK->ACC,i32.shl SK->ACC,i32.shr_u AK->ACC,i32.shr_u SK->ACC} + i32.add AS->ACC
{i32.shr_u SK->ACC + i32.xor AS->ACC,i32.wrap_i64 S->ACC,i32.xor AS->ACC} + i32.add AS->ACC
i32.add SK->ACC + {f32.load A->ACC,f32.load A->SLOT,f64.load A->ACC,f64.load A->SLOT}
i32.add SK->ACC + {i32.add AK->SLOT,i32.and AK->ACC,i32.and AK->SLOT,i32.load A->ACC}
i32.add SK->ACC + {i32.load A->SLOT,i32.load8_u A->ACC,i32.load8_u A->SLOT,i32.store AS}
i32.add SK->ACC + {i32.store SA,i32.store8 AS,i32.store8 SA}
{br_if A->IF,copy S->SLOT,i32.const K->SLOT,i32.load A->ACC + i32.store SA} + br ->JUMP
{i32.load S->ACC + i32.store SA,i32.store SA,i64.add AS->SLOT} + br ->JUMP
{i64.mul SK->ACC + i64.add AS->SLOT,i64.mul SL->SLOT,i64.rotl SK->SLOT} + br ->JUMP
{i64.sub SS->SLOT,i64.xor SS->SLOT,ref_frame,ref_frame + copy S->SLOT} + br ->JUMP
{copy A->SLOT,copy S->SLOT,copy S->SLOT + copy S->SLOT,i32.add SK->SLOT + copy S->SLOT} + call
{i32.add SK->SLOT + i32.add SK->SLOT,i32.add SK->SLOT + i32.const K->SLOT} + call
{i32.const K->SLOT,i32.const K->SLOT + copy S->SLOT} + call
{i32.const K->SLOT + i32.const K->SLOT,i32.load S->ACC + i32.and AK->SLOT} + call
{i32.shr_u AK->SLOT + copy S->SLOT,i32.sub AS->SLOT + copy S->SLOT,i64.const K->SLOT} + call
{br_if S->LOOP_IF,copy S->SLOT,copy S->SLOT + copy S->SLOT,i32.add AS->SLOT} + i32.load S->SLOT
{i32.gt_s AK->IF,i32.load A->SLOT,i32.load A->SLOT + i32.load A->SLOT} + i32.load S->SLOT
{i32.load A->SLOT + i32.load S->SLOT,i32.load S->SLOT} + i32.load S->SLOT
{i32.load S->SLOT + i32.load S->SLOT,i32.load8_s S->ACC + i32.gt_s AK->IF} + i32.load S->SLOT
{i32.mul AK->ACC + i32.add AS->SLOT,i32.store SS} + i32.load S->SLOT
{br_if S->UNLESS,f64.add AS->ACC + f64.add AS->SLOT,f64.add AS->SLOT} + i32.add SS->SLOT
{f64.mul AS->ACC + f64.add AS->SLOT,i32.add AS->SLOT} + i32.add SS->SLOT
{i32.add AS->SLOT + i32.add AS->SLOT,i32.add SK->ACC + f32.load A->SLOT} + i32.add SS->SLOT
{i32.add SS->SLOT,i32.add SS->SLOT + i32.load8_u A->SLOT} + i32.add SS->SLOT
{i32.const K->SLOT + i32.lt_u SK->IF,i32.load8_u A->SLOT,i32.store8 SK} + i32.add SS->SLOT
{i32.add AK->SLOT,i32.add AK->SLOT + i32.add SK->ACC,i32.add AS->ACC} + i32.load A->SLOT
{i32.add AS->SLOT + i32.add SK->ACC,i32.and AK->ACC + i32.shl AK->ACC} + i32.load A->SLOT
{i32.load A->SLOT,i32.load S->ACC,i32.load S->SLOT} + i32.load A->SLOT
{i32.load S->SLOT + i32.load A->SLOT,i32.shl AK->ACC} + i32.load A->SLOT
i32.shl SK->ACC + i32.add AS->ACC + i32.load A->SLOT
{br_if A->UNLESS + f64.add SS->ACC,f64.add SS->ACC} + f64.mul AS->ACC
{f64.const L->ACC + f64.div AS->SLOT,f64.div AS->SLOT} + f64.mul AS->ACC
{f64.div AS->SLOT + f64.load S->ACC,f64.load A->ACC + f64.sub SA->SLOT} + f64.mul AS->ACC
{f64.load S->ACC,f64.load S->SLOT + f64.load S->ACC} + f64.mul AS->ACC
{f64.load S->SLOT + f64.mul SS->ACC,f64.mul SS->ACC} + f64.mul AS->ACC
{f64.add AS->ACC,f64.add AS->SLOT + f64.sub SS->ACC} + f64.add AS->SLOT
{f64.add SS->ACC + f64.mul AS->ACC,f64.load K->ACC + f64.mul AL->ACC} + f64.add AS->SLOT
{f64.load S->ACC + f64.mul AS->ACC,f64.mul AL->ACC,f64.mul AS->ACC} + f64.add AS->SLOT
{f64.mul AS->ACC + f64.add AS->ACC,f64.sub SS->ACC} + f64.add AS->SLOT
{i32.add AS->ACC,i32.add AS->SLOT + i32.add SS->ACC,i32.add SS->ACC} + i32.load8_u A->ACC
{i32.add SS->SLOT,i32.add SS->SLOT + i32.add SS->ACC} + i32.load8_u A->ACC
{i32.and AK->SLOT + i32.add AS->ACC,i32.load8_u A->SLOT + i32.add SK->ACC} + i32.load8_u A->ACC
i32.load8_u A->SLOT + i32.add SK->SLOT + i32.load8_u A->ACC
i32.wrap_i64 S->ACC + i32.add AS->ACC + i32.load8_u A->ACC
{f64.add AS->SLOT,f64.sub SS->ACC + f64.add AS->SLOT,i32.add AS->SLOT} + i32.const K->SLOT
{i32.add SS->SLOT,i32.const K->SLOT,i32.const K->SLOT + i32.const K->SLOT} + i32.const K->SLOT
{i32.shl SK->ACC + i32.add AS->SLOT,i32.sub KS->SLOT,zero} + i32.const K->SLOT
{i32.add AK->ACC,i32.add AS->ACC,i32.add AS->ACC + i32.load A->ACC} + i32.store SA
{i32.add AS->SLOT + i32.load A->ACC,i32.load A->ACC,i32.load S->ACC} + i32.store SA
{i32.load S->SLOT + br_if A->UNLESS,i32.load S->SLOT + i32.load S->ACC} + i32.store SA
i32.xor AS->ACC + i32.add AS->ACC + i32.store SA
{copy S->SLOT + i32.add SK->SLOT,i32.add SK->SLOT + i32.add SK->SLOT} + i32.shl AK->ACC
{i32.and AK->ACC,i32.and SK->ACC,i32.load S->ACC,i32.rem_u AS->ACC} + i32.shl AK->ACC
{i32.shr_u AK->ACC + i32.rem_u AS->ACC,i32.xor AS->ACC + i32.and AK->ACC} + i32.shl AK->ACC
{i32.add AK->ACC,i32.add AS->ACC,i32.add AS->SLOT} + i32.load A->ACC
{i32.add SK->ACC + i32.add AS->ACC,i32.add SS->ACC,i32.load S->SLOT} + i32.load A->ACC
{i32.shl AK->ACC + i32.add AS->ACC,i32.shl AK->ACC + i32.add AS->SLOT} + i32.load A->ACC
{copy A->SLOT + i32.load8_u S->ACC,copy S->SLOT + i32.add SK->SLOT} + br_if A->LOOP_IF
{f32.add AS->SLOT + i32.add SK->SLOT,i32.add SK->SLOT + i32.add SK->SLOT} + br_if A->LOOP_IF
{i32.add SK->SLOT + i32.load8_u A->ACC,i32.load S->SLOT + i32.add SK->SLOT} + br_if A->LOOP_IF
{i32.load8_u S->ACC,i32.xor AS->SLOT + i32.add SK->SLOT} + br_if A->LOOP_IF
{copy S->SLOT + i32.and SS->ACC,i32.add SK->ACC + i32.load8_u A->ACC} + i32.xor AS->ACC
{i32.and SK->ACC,i32.and SS->ACC,i32.load8_u A->ACC,i32.rotl SK->ACC} + i32.xor AS->ACC
{i32.shr_u SK->ACC,i32.xor AS->SLOT} + i32.xor AS->ACC
{f64.load A->ACC,f64.load A->ACC + f64.sub SA->SLOT,f64.load A->SLOT} + f64.mul AS->SLOT
{f64.mul SS->ACC,f64.sqrt A->ACC,f64.sub SA->SLOT} + f64.mul AS->SLOT
{f64.sub SS->ACC + f64.add AS->SLOT,i32.add SK->ACC + f64.load A->SLOT} + f64.mul AS->SLOT
{i32.and SS->ACC,i32.load A->SLOT + i32.shr_u SK->ACC,i32.mul SK->ACC} + i32.xor AS->SLOT
{i32.rotl AK->SLOT + i32.rotl SK->ACC,i32.rotl SK->ACC} + i32.xor AS->SLOT
{i32.rotl SK->SLOT + i32.rotl SK->ACC,i32.shr_u SK->ACC} + i32.xor AS->SLOT
{copy S->SLOT + i32.add SK->SLOT,i32.add SK->ACC + i32.load A->SLOT} + i32.load S->ACC
{i32.gt_s AK->IF + i32.load S->SLOT,i32.load A->SLOT,i32.load S->SLOT} + i32.load S->ACC
{i32.store SA,i32.store SS} + i32.load S->ACC
{f64.load A->ACC,f64.load S->ACC + f64.mul AS->ACC,f64.mul AS->ACC} + f64.add AS->ACC
{f64.mul AS->SLOT,f64.mul AS->SLOT + f64.load A->ACC,f64.mul SS->SLOT} + f64.add AS->ACC
f64.mul SS->SLOT + f64.mul SS->SLOT + f64.add AS->ACC
{i32.add AS->ACC + i32.load8_u A->ACC,i32.and AK->ACC,i32.and AS->SLOT} + br_if A->IF
{i32.load8_u A->ACC,i32.load8_u S->ACC,i32.sub SA->SLOT} + br_if A->IF
i32.xor AK->ACC + i32.and AS->SLOT + br_if A->IF
i32.add SS->SLOT + {i32.add AK->ACC,i32.add SS->ACC,i32.load8_u A->SLOT,i32.ne AK->IF}
i32.add SS->SLOT + {i32.ne SS->SLOT,i64.add SS->SLOT}
copy S->SLOT + {br ->LOOP,br_if S->LOOP_IF,call_indirect S,i32.and SS->ACC,i32.ne SK->LOOP_IF}
copy S->SLOT + i32.xor SS->SLOT
{f64.load S->SLOT + i32.add SK->SLOT,f64.mul AS->SLOT} + f64.load A->ACC
{f64.mul AS->SLOT + i32.add SK->ACC,f64.mul SS->ACC + f64.mul AS->SLOT} + f64.load A->ACC
{f64.mul SS->SLOT + i32.add SK->ACC,i32.add SS->ACC} + f64.load A->ACC
{i32.add AK->ACC,i32.add SK->SLOT + i32.load8_u A->ACC} + i32.store8 SA
{i32.add SS->ACC + i32.load8_u A->ACC,i32.add SS->SLOT + i32.load8_u A->ACC} + i32.store8 SA
{i32.load8_u A->ACC,i32.load8_u S->ACC} + i32.store8 SA
{i32.add AK->ACC,i32.add AS->ACC + i32.add AK->ACC,i32.load S->ACC} + br_table A
{i32.rem_u AK->ACC,i32.wrap_i64 S->ACC + i32.rem_u AK->ACC} + br_table A
{f64.le AL->ACC,i32.and AK->ACC,i32.and SK->ACC,i32.load S->SLOT} + br_if A->UNLESS
i32.load8_u S->ACC + br_if A->UNLESS
{f64.load A->ACC + f64.mul AS->SLOT,f64.load S->SLOT,f64.mul AS->SLOT} + f64.load S->SLOT
{f64.store SA,f64.sub SA->ACC + f64.store SA} + f64.load S->SLOT
{i32.add AS->ACC,i32.add SS->ACC,i32.load S->ACC} + i32.add AK->ACC
{i32.mul AK->ACC + i32.sub SA->ACC,i32.sub SA->ACC} + i32.add AK->ACC
{i32.add AS->SLOT + i32.rotl SK->SLOT,i32.rotl AK->SLOT} + i32.rotl SK->ACC
{i32.rotl SK->ACC + i32.xor AS->SLOT,i32.rotl SK->SLOT,i32.xor AS->SLOT} + i32.rotl SK->ACC
{i32.load A->SLOT,i32.rotl SK->ACC + i32.xor AS->SLOT} + i32.shr_u SK->ACC
{i32.shl AK->ACC + i32.load A->SLOT,i32.xor AS->SLOT} + i32.shr_u SK->ACC
{i32.add AS->ACC,i32.div_u SK->SLOT,i32.mul AK->ACC + i32.add AS->ACC} + i32.mul AK->ACC
i32.mul SK->ACC + i32.add AS->ACC + i32.mul AK->ACC
{i32.load A->ACC + i32.store SA,i32.load A->SLOT,i32.store SA,i32.store SS} + i32.store SS
{f32.add AS->ACC,f32.add AS->ACC + f32.add AS->ACC,f32.mul AS->ACC} + f32.add AS->ACC
f32.mul AS->ACC + f32.add AS->ACC + f32.add AS->ACC
{f64.convert_i32_u A->SLOT,f64.mul AS->SLOT} + f64.const L->ACC
f64.sqrt A->ACC + f64.mul AS->SLOT + f64.const L->ACC
i32.add AS->ACC + f64.convert_i32_u A->SLOT + f64.const L->ACC
{copy S->SLOT + i32.add SK->SLOT,i32.add SK->SLOT + i32.add SK->SLOT} + i32.ne AK->LOOP_IF
{i32.const K->SLOT + i32.add SK->SLOT,i32.store SA + i32.add SK->SLOT} + i32.ne AK->LOOP_IF
{f64.add AS->ACC,f64.load A->ACC + f64.add AS->ACC} + f64.store SA
{f64.mul AS->ACC + f64.sub SA->ACC,f64.sub SA->ACC} + f64.store SA
{i32.add SS->ACC,i32.add SS->SLOT + i32.add AK->ACC} + i32.load8_u A->SLOT
{i32.const K->SLOT + i32.add SS->ACC,i32.store8 SS + i32.add SK->SLOT} + i32.load8_u A->SLOT
{i32.div_u SK->SLOT + i32.mul AK->ACC,i32.load S->SLOT + i32.load S->SLOT} + i32.sub SA->ACC
{i32.lt_u SS->ACC,i32.mul AK->ACC} + i32.sub SA->ACC
{i32.add SK->SLOT + i32.ne AS->LOOP_IF,i32.and SK->ACC + br_if A->UNLESS} + br_if S->UNLESS
{i32.load S->SLOT,i32.ne AS->LOOP_IF} + br_if S->UNLESS
{i32.add AS->SLOT,i32.and SS->ACC + i32.xor AS->SLOT} + i32.rotl SK->SLOT
{i32.xor AS->ACC + i32.add AS->SLOT,i32.xor AS->SLOT} + i32.rotl SK->SLOT
i32.const K->SLOT + {i32.add SS->ACC,i32.lt_u SK->IF,select SSS->SLOT}
i32.or SS->ACC + {i32.or AS->ACC,i32.shl AK->SLOT,i32.shr_u AK->SLOT}
{i32.load8_u A->ACC + i32.xor AS->ACC,i32.xor AS->ACC} + i32.and AK->ACC
i32.xor AS->SLOT + i32.xor AS->ACC + i32.and AK->ACC
{f32.load A->ACC,i32.add AK->ACC + f32.load A->ACC} + f32.mul AS->SLOT
i32.add SK->ACC + f32.load A->ACC + f32.mul AS->SLOT
{i64.const L->ACC,i64.load A->ACC,i64.load S->ACC} + i64.store SA
{f32.load A->SLOT + i32.add SK->ACC,i32.add AK->ACC} + f32.load A->ACC
i32.add SS->SLOT + i32.add AK->ACC + f32.load A->ACC
{f64.const L->ACC,f64.convert_i32_u A->SLOT + f64.const L->ACC} + f64.div AS->SLOT
f64.mul AS->SLOT + f64.const L->ACC + f64.div AS->SLOT
{i32.add AS->ACC,i32.shr_u AK->ACC + i32.add AS->ACC} + f64.convert_i32_u A->SLOT
i32.shr_u SK->ACC + i32.add AS->ACC + f64.convert_i32_u A->SLOT
{f64.const L->ACC + f64.div AS->SLOT,f64.div AS->SLOT,f64.load S->SLOT} + f64.load S->ACC
{i32.or AS->SLOT,i32.or SS->ACC + i32.shl AK->SLOT,i32.shl AK->SLOT} + i32.or SS->ACC
{copy S->SLOT + copy S->SLOT,i32.add SS->SLOT + i32.ne SS->SLOT} + i32.xor SS->SLOT
i32.ne SS->SLOT + i32.xor SS->SLOT
{i32.gt_u SK->SLOT + copy S->SLOT,i32.load8_u S->SLOT + i32.add SK->SLOT} + br_if S->LOOP_IF
i32.xor SS->SLOT + br_if S->LOOP_IF
{f64.mul AS->SLOT,f64.mul SS->SLOT,f64.sub SA->SLOT + f64.mul AS->SLOT} + f64.mul SS->SLOT
{f64.div AS->SLOT + f64.mul AS->ACC,f64.mul AS->ACC} + f64.sub SA->ACC
f64.mul SS->ACC + f64.mul AS->ACC + f64.sub SA->ACC
{br_if A->UNLESS,f64.le AL->ACC + br_if A->UNLESS,f64.mul AS->SLOT} + f64.add SS->ACC
{f64.load S->SLOT,f64.store SA + f64.load S->SLOT} + f64.mul SS->ACC
f64.store SA + i32.add SK->SLOT + f64.mul SS->ACC
{i32.add AK->SLOT,i32.mul AS->ACC,i32.xor SK->ACC} + i32.shr_u AK->ACC
{i32.add AS->SLOT + i32.add SK->SLOT,i32.load S->ACC} + i32.and AK->SLOT
i32.load8_u A->SLOT + i32.add SK->ACC + i32.and AK->SLOT
{i32.load S->ACC,i32.store SA + i32.load S->ACC} + i32.sub AS->SLOT
i32.store SS + i32.load S->ACC + i32.sub AS->SLOT
{i32.add SK->SLOT + i32.add SK->SLOT,i32.store SA + copy S->SLOT} + br ->LOOP
i32.store SA + i32.add SK->SLOT + br ->LOOP
{i32.add AS->ACC,i32.add SK->ACC + i32.add AS->SLOT} + i32.add AK->SLOT
i32.load S->SLOT + i32.mul SK->ACC + i32.add AK->SLOT
i32.add SS->SLOT + i32.add SK->SLOT + {copy A->SLOT,i32.gt_u AK->LOOP_IF}
i32.load S->SLOT + {i32.eq AS->IF,i32.mul SK->ACC}
f64.add AS->ACC + {f64.le AL->ACC,f64.le AL->IF}
f64.add AS->SLOT + {f64.store KA,f64.sub SS->ACC}
i32.load8_u S->SLOT + {i32.load8_u S->ACC,i32.load8_u S->SLOT}
i32.load S->SLOT + i32.load S->SLOT + {i32.lt_u AS->SLOT,i32.mul SK->ACC}
i32.xor SS->SLOT + copy S->SLOT + {i32.and SS->ACC,i32.and SS->SLOT}
i32.store8 SA + i32.add SK->SLOT + {i32.gt_u SK->SLOT,i32.lt_u AS->LOOP_IF}
{i32.add AS->SLOT,i32.add SK->ACC + f64.load A->SLOT} + i32.add SS->ACC
{i32.add SK->SLOT + i32.add SK->SLOT,i32.store8 SS + i32.add SK->SLOT} + i32.ne AS->LOOP_IF
{i32.load8_u A->ACC + i32.store8 SA,i32.store8 SA} + i32.store8 SS
{i32.sub KS->ACC,i32.xor AK->ACC} + i32.and AS->SLOT
{i32.and AS->SLOT,i32.sub KS->ACC + i32.and AS->SLOT} + i32.or AS->SLOT
{f64.load A->ACC,i32.add SK->ACC + f64.load A->ACC} + f64.sub SA->SLOT
{f32.load A->ACC,i32.add SK->ACC + f32.load A->ACC} + f32.mul AS->ACC
{f32.add AS->ACC,f32.add AS->ACC + f32.add AS->ACC} + f32.add AS->SLOT
{i64.load A->ACC + i64.store SA,i64.load S->ACC + i64.store SA} + i64.load S->ACC
{i32.lt_u SS->ACC + i32.sub SA->ACC,i32.sub SA->ACC} + return_value_16 A
{i32.add SK->ACC + i32.add AS->ACC,i32.add SS->ACC + i32.add AK->ACC} + i32.store8 AS
{i32.add SK->ACC + i32.load A->SLOT,i32.load A->SLOT} + i32.rotl AK->SLOT
{f64.load K->ACC,f64.store KA + f64.load K->ACC} + f64.mul AL->ACC
{f64.add AS->SLOT + f64.store KA,f64.store KA} + f64.load K->ACC
{i32.add AK->SLOT + i32.shr_u AK->ACC,i32.shr_u AK->ACC} + i32.rem_u AS->ACC
i64.add SK->SLOT + i64.ne AS->LOOP_IF
i32.wrap_i64 S->ACC + i32.rem_u AK->ACC
i64.add SS->SLOT + i64.lt_u AS->LOOP_IF
i32.store8 SK + i32.add SS->SLOT + i64.add SS->SLOT
i32.add SS->ACC + return_value_8 A
zero + i32.const K->SLOT + i32.lt_u SK->IF
copy A->SLOT + i32.load8_u S->ACC
f32.mul AS->SLOT + i32.add SK->ACC + f32.load A->SLOT
i32.store AS + i32.add SK->ACC + i32.store AS
zero + i32.ne SS->IF
i32.or AS->SLOT + i32.or SS->ACC + i32.shl AK->SLOT
i32.shl AK->SLOT + i32.or SS->ACC + i32.shr_u AK->SLOT
i32.or SS->ACC + i32.or AS->ACC + i32.xor AK->ACC
f64.mul AS->SLOT + f64.add AS->ACC + f64.le AL->ACC
copy_ref R->REF + global.set S
i64.shr_u SK->ACC + i64.xor AS->SLOT
f64.mul AS->ACC + f64.add AS->SLOT + f64.sub SS->ACC
i32.add SS->SLOT + i32.add AK->ACC + i32.mul AS->ACC
i32.mul AK->SLOT + i32.load8_u S->SLOT
i32.and SK->ACC + i32.xor AS->ACC + i32.mul AK->SLOT
i32.lt_u AS->SLOT + i32.lt_u SS->ACC
br_if S->LOOP_IF + return_value S
i32.load8_s S->ACC + i32.gt_s AK->IF
i32.load8_u S->SLOT + i32.load8_u S->ACC + i32.sub SA->SLOT
i32.load8_u S->SLOT + i32.load8_u S->SLOT + i32.eq AS->LOOP_IF
i32.lt_s SK->IF + i32.add SK->SLOT + i32.shl SK->ACC
ref_frame + throw_ref R
i32.load8_u A->ACC + i32.ne AS->IF
i32.add SS->SLOT + copy S->SLOT + call_indirect S
f64.mul AL->ACC + f64.add AS->SLOT + f64.store KA
i64.mul SK->ACC + i64.add AS->SLOT
i32.and AS->SLOT + br_if A->IF + return_value K
i32.and SS->SLOT + i32.and SS->ACC
f64.sub SA->SLOT + i32.add SK->ACC + f64.load A->SLOT
f64.add AS->ACC + f64.add AS->SLOT + f64.sqrt A->ACC
i32.add SK->ACC + i32.load8_u A->ACC + i32.eq AS->IF
i32.load8_u S->ACC + i32.ne AK->IF
i32.const K->SLOT + i32.const K->SLOT + select SSS->SLOT
copy_ref R->REF + global.set S + i32.load8_s S->ACC
br_if S->UNLESS + memory.copy SSS
i32.{add,sub,and,or} {SS,AS,AK}->ACC + return_value_{8,16} A
i32.load S->ACC + return_value_{8,16} A
i32.add AS->ACC + return_value_24 A
fuel + i32.{add,sub,and,or,shl,shr_u,mul} SK->{SLOT,ACC}
fuel + i32.{add,or} SS->{SLOT,ACC}
fuel + i32.{load,load8_u} S->{SLOT,ACC}
fuel + {copy S->SLOT,i32.const K->SLOT,i32.sub KS->ACC,i32.store SS,i32.store SK,i32.store8 SK}
fuel + i64.{add,mul,rotl,shr_u} SK->{SLOT,ACC}
fuel + {i64.add SS->SLOT,i64.sub SS->SLOT,i64.xor SS->SLOT,i32.wrap_i64 S->ACC,f64.load S->SLOT}
fuel + f64.{add,sub,mul} SS->{SLOT,ACC}
fuel + {br_if S->IF,br_if S->UNLESS,i32.ne SK->IF,i32.eq SK->IF,i32.lt_s SK->IF,i32.lt_u SK->IF}
fuel + i32.add SS->SLOT + i32.add SK->SLOT
fuel + i32.add SK->SLOT + i32.add SK->SLOT
"""


def chains() -> list[tuple[str, ...]]:
    """Names of the forms in every chain, the beginnings of a chain before it, each once."""
    found: dict[tuple[str, ...], None] = {}
    for line in CHAINS.splitlines():
        # An instruction that stops for want of fuel has done nothing yet.
        assert " + fuel" not in line
        for text in _expand(line) if line else ():
            chain = tuple(text.split(" + "))
            for n in range(2, len(chain) + 1):
                found[chain[:n]] = None
    return list(found)


def _expand(text: str) -> list[str]:
    before, brace, rest = text.partition("{")
    if not brace:
        return [text]
    choices, _, after = rest.partition("}")
    tails = _expand(after)
    return [before + choice + tail for choice in choices.split(",") for tail in tails]

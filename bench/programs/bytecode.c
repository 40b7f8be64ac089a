// A little interpreter: one switch that becomes a br_table.
#include <stdint.h>
enum { PUSH, ADD, SUB, MUL, XOR, DUP, SWAP, LOAD, STORE, JNZ, SHR, HALT };
static const int32_t program[] = {
  PUSH, 1, STORE, 1,
  /* 4 */ LOAD, 1, PUSH, 1664525, MUL, PUSH, 1013904223, ADD, DUP, STORE, 1,
  PUSH, 7, SHR, LOAD, 2, XOR, DUP, LOAD, 0, MUL, ADD, STORE, 2,
  LOAD, 0, PUSH, 1, SUB, DUP, STORE, 0, JNZ, 4, HALT};
unsigned run(unsigned n) {
  uint32_t stack[16], cell[4] = {n, 0, 0, 0};
  int sp = 0;
  for (const int32_t *pc = program;;) switch (*pc++) {
      case PUSH: stack[sp++] = (uint32_t)*pc++; break;
      case ADD: sp--; stack[sp - 1] += stack[sp]; break;
      case SUB: sp--; stack[sp - 1] -= stack[sp]; break;
      case MUL: sp--; stack[sp - 1] *= stack[sp]; break;
      case XOR: sp--; stack[sp - 1] ^= stack[sp]; break;
      case SHR: sp--; stack[sp - 1] >>= stack[sp]; break;
      case DUP: stack[sp] = stack[sp - 1]; sp++; break;
      case SWAP: { uint32_t t = stack[sp - 1]; stack[sp - 1] = stack[sp - 2]; stack[sp - 2] = t; break; }
      case LOAD: stack[sp++] = cell[*pc++]; break;
      case STORE: cell[*pc++] = stack[--sp]; break;
      case JNZ: pc = stack[--sp] ? program + *pc : pc + 1; break;
      case HALT: return cell[2];
    }
}

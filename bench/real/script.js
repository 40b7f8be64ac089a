// What a language is made of, and the checksum of some work.
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
print(fib(22));
const words = read("/files/program.c").split(/\W+/).filter(w => w).sort();
print(words.length, JSON.stringify(words.slice(0, 5)));
print([..."naïve €"].map(c => c.codePointAt(0)).join(), 0.1 + 0.2);
print(/(?<year>\d{4})-(\d\d)/.exec("on 2024-05-17").groups.year);
class Counter { #n = 1; get n() { return this.#n++; } }
function* squares() { for (let i = 0; i < 3; i++) yield i * i; }
const counter = new Counter();
print(counter.n + counter.n, [...squares()], new Map([[1, 2]]).get(1));
try { null.x } catch (e) { print(e instanceof TypeError) }
let hash = 7;
for (let i = 0; i < 200000; i++) hash = (Math.imul(hash, 31) + i) | 0;
print(hash);

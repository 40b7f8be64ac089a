// Pancake flips over all permutations (after the Computer Language Benchmarks Game).
unsigned run(unsigned n) {
  int p[16], q[16], count[16], flips, most = 0, r = (int)n, sum = 0, even = 1;
  for (int i = 0; i < (int)n; i++) p[i] = i;
  for (;;) {
    while (r != 1) { count[r - 1] = r; r--; }
    for (int i = 0; i < (int)n; i++) q[i] = p[i];
    flips = 0;
    for (int k; (k = q[0]) != 0; flips++)
      for (int i = 0, j = k; i < j; i++, j--) { int t = q[i]; q[i] = q[j]; q[j] = t; }
    if (flips > most) most = flips;
    sum += even ? flips : -flips;
    for (;; r++) {
      if (r == (int)n) return (unsigned)(sum * 100 + most);
      int first = p[0];
      for (int i = 0; i < r; i++) p[i] = p[i + 1];
      p[r] = first;
      if (--count[r] > 0) break;
    }
    even = !even;
  }
}

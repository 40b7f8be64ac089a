// Spectral norm: divisions of doubles in an inner loop (after the Computer Language Benchmarks Game).
#include <math.h>
#include <stdlib.h>
static double a(unsigned i, unsigned j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }
static void times(const double *v, double *out, unsigned n, int transposed) {
  for (unsigned i = 0; i < n; i++) {
    double s = 0;
    for (unsigned j = 0; j < n; j++) s += (transposed ? a(j, i) : a(i, j)) * v[j];
    out[i] = s;
  }
}
unsigned run(unsigned n) {
  double *u = malloc(n * 8), *v = malloc(n * 8), *t = malloc(n * 8), vbv = 0, vv = 0;
  for (unsigned i = 0; i < n; i++) u[i] = 1;
  for (int k = 0; k < 4; k++) {
    times(u, t, n, 0); times(t, v, n, 1);
    times(v, t, n, 0); times(t, u, n, 1);
  }
  for (unsigned i = 0; i < n; i++) { vbv += u[i] * v[i]; vv += v[i] * v[i]; }
  free(u); free(v); free(t);
  return (unsigned)(sqrt(vbv / vv) * 1e9);
}

// Dense product of two n × n matrices of doubles.
#include <stdlib.h>
unsigned run(unsigned n) {
  double *a = malloc(n * n * sizeof *a), *b = malloc(n * n * sizeof *b), sum = 0;
  for (unsigned i = 0; i < n * n; i++) { a[i] = i % 7; b[i] = i % 5; }
  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < n; j++) {
      double t = 0;
      for (unsigned k = 0; k < n; k++) t += a[i * n + k] * b[k * n + j];
      sum += t * (1 + (i ^ j) % 3);
    }
  free(a); free(b);
  return (unsigned)(unsigned long long)sum;
}

// The library's qsort: comparisons through a function pointer.
#include <stdlib.h>
static int ascending(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}
unsigned run(unsigned n) {
  unsigned *v = malloc(n * sizeof *v), r = 12345, h = 0;
  for (unsigned i = 0; i < n; i++) {
    r ^= r << 13; r ^= r >> 17; r ^= r << 5;
    v[i] = r;
  }
  qsort(v, n, sizeof *v, ascending);
  for (unsigned i = 0; i < n; i++) h = h * 31 + v[i];
  free(v);
  return h;
}

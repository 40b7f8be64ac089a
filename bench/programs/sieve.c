// Bytes and strides: primes below n.
#include <stdlib.h>
#include <string.h>
unsigned run(unsigned n) {
  unsigned char *composite = calloc(n, 1);
  unsigned count = 0;
  for (unsigned i = 2; i < n; i++) {
    if (composite[i]) continue;
    count++;
    for (unsigned long long j = (unsigned long long)i * i; j < n; j += i) composite[j] = 1;
  }
  free(composite);
  return count;
}

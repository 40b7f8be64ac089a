// A filter in single precision.
#include <string.h>
static float taps[32], signal[4096], out[4096];
unsigned run(unsigned n) {
  for (int i = 0; i < 32; i++) taps[i] = 1.0f / (i + 1);
  for (int i = 0; i < 4096; i++) signal[i] = (float)((i * 37) % 101) - 50.0f;
  unsigned h = 0, bits;
  while (n--) {
    for (int i = 0; i < 4096 - 32; i++) {
      float s = 0;
      for (int k = 0; k < 32; k++) s += taps[k] * signal[i + k];
      out[i] = s;
    }
    memcpy(&signal[n % 4000], &out[n % 3000], sizeof(float));
  }
  for (int i = 0; i < 4096; i++) { memcpy(&bits, &out[i], 4); h = h * 31 + bits; }
  return h;
}

// Table-driven CRC: a chain of dependent loads.
#include <stdint.h>
static uint32_t table[256];
static unsigned char data[4096];
unsigned run(unsigned n) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    table[i] = c;
  }
  for (unsigned i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 31 + (i >> 3));
  uint32_t c = ~0u;
  while (n--)
    for (unsigned i = 0; i < sizeof data; i++) c = table[(c ^ data[i]) & 255] ^ c >> 8;
  return ~c;
}

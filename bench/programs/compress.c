// A small LZ77: hash chains, byte copies, then the way back.
#include <stdlib.h>
#include <string.h>
#define HASH 4096
static unsigned char text[65536], packed[131072], back[65536];
static int head[HASH];
static unsigned pack(unsigned n) {
  unsigned out = 0, i = 0;
  for (int k = 0; k < HASH; k++) head[k] = -1;
  while (i < n) {
    unsigned length = 0, distance = 0;
    if (i + 4 <= n) {
      unsigned h = (text[i] * 2654435761u ^ text[i + 1] * 40503u ^ text[i + 2] * 31u ^ text[i + 3]) % HASH;
      int at = head[h];
      head[h] = (int)i;
      if (at >= 0)
        while (length < 255 && i + length < n && text[at + length] == text[i + length]) length++;
      if (length >= 4) distance = i - (unsigned)at;
    }
    if (distance) {
      packed[out++] = 1; packed[out++] = (unsigned char)length;
      packed[out++] = (unsigned char)distance; packed[out++] = (unsigned char)(distance >> 8);
      i += length;
    } else {
      packed[out++] = 0; packed[out++] = text[i++];
    }
  }
  return out;
}
static unsigned unpack(unsigned n) {
  unsigned out = 0;
  for (unsigned i = 0; i < n;) {
    if (packed[i]) {
      unsigned length = packed[i + 1], distance = packed[i + 2] | packed[i + 3] << 8;
      for (unsigned k = 0; k < length; k++, out++) back[out] = back[out - distance];
      i += 4;
    } else {
      back[out++] = packed[i + 1];
      i += 2;
    }
  }
  return out;
}
unsigned run(unsigned n) {
  unsigned r = 3, h = 0;
  for (unsigned i = 0; i < sizeof text; i++) {
    r = r * 1664525u + 1013904223u;
    text[i] = i > 300 && r >> 29 ? text[i - 1 - (i >> 4) % 250] : (unsigned char)('a' + (r >> 20) % 20);
  }
  while (n--) {
    unsigned m = pack(sizeof text), k = unpack(m);
    h = h * 31 + m + (k == sizeof text && !memcmp(text, back, k));
    text[n % sizeof text] ^= 1;
  }
  return h;
}

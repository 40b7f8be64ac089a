// Calls on sockets, of descriptors that are none.
#include "wasi.h"

int main(void) {
  iovec_t v = {(u32)(uintptr_t)scratch, 10};
  u32 flags;
  make_file("f", "x");
  u32 fd = open_at(ROOT, "f", 0, ALL, 0);
  const struct { u32 fd; const char *what; u32 want; } rows[] = {
      {CLOSED, "closed", E_BADF}, {1, "a stream", E_NOTSOCK}, {fd, "a file", E_NOTSOCK},
      {ROOT, "a directory", E_NOTSOCK}};
  for (int i = 0; i < 4; i++) {
    u32 s = rows[i].fd, want = rows[i].want;
    expect("sock_accept", rows[i].what, want, sock_accept(s, 0, &got32));
    expect("sock_recv", rows[i].what, want, sock_recv(s, &v, 1, 0, &got32, &flags));
    expect("sock_send", rows[i].what, want, sock_send(s, &v, 1, 0, &got32));
    expect("sock_shutdown", rows[i].what, want, sock_shutdown(s, 3));
  }
  return finish();
}

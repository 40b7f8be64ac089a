// A conversation over a socket.  Descriptor 4 listens; what is asked of the peer is a line of
// output that begins with "peer:", and has been done when the line has been written.
#include "wasi.h"

static const u32 LISTENER = 4;
enum { PEEK = 1, WAITALL = 2 };
enum { DOWN_READ = 1, DOWN_WRITE = 2 };

static void peer(const char *what) {
  printf("peer: %s\n", what);
  fflush(stdout);
}

static iovec_t vec(const void *at, u32 size) { return (iovec_t){(u32)(uintptr_t)at, size}; }

int main(void) {
  fdstat_t st;
  filestat_t file;
  uint16_t flags = 99;
  u32 fd = (u32)-1;
  char a[8] = "", b[8] = "";
  iovec_t two[2] = {vec(a, 5), vec(b, 6)};
  CHECK(SUCCESS, "a listening socket", fd_fdstat_get, LISTENER, &st);
  HOLDS(fd_fdstat_get, "type of a socket", st.type == STREAM && st.rights & R(SOCK_ACCEPT));
  CHECK(SUCCESS, "of a socket", fd_fdstat_set_flags, LISTENER, F_NONBLOCK);
  CHECK(AGAIN, "nobody is there", sock_accept, LISTENER, 0, &fd);
  CHECK(SUCCESS, "of a socket", fd_fdstat_set_flags, LISTENER, 0);
  peer("connect");
  subscription_t wait[2] = {{.user = 1, .type = 1, .id = LISTENER},
                            {.user = 2, .id = 1, .timeout = 60000000000}};
  event_t events[2];
  CHECK(SUCCESS, "a connection", poll_oneoff, wait, events, 2, &got32);
  HOLDS(poll_oneoff, "a connection can be accepted", got32 == 1 && events[0].user == 1);
  CHECK_UNKNOWN(INVAL, "flags of files", sock_accept, LISTENER, F_APPEND, &fd);
  CHECK(FAULT, "no room for the result", sock_accept, LISTENER, 0, (void *)-1);
  CHECK(SUCCESS, "somebody is there", sock_accept, LISTENER, 0, &fd);
  CHECK(SUCCESS, "a connection", fd_fdstat_get, fd, &st);
  HOLDS(fd_fdstat_get, "a connection is a socket", st.type == STREAM && st.flags == 0 &&
                                                      st.rights & R(FD_READ) && !(st.rights & R(SOCK_ACCEPT)));
  CHECK(SUCCESS, "a connection", fd_filestat_get, fd, &file);
  HOLDS(fd_filestat_get, "a connection is a socket", file.type == STREAM);

  CHECK(SUCCESS, "of a connection", fd_fdstat_set_flags, fd, F_NONBLOCK);
  CHECK(AGAIN, "nothing has come", sock_recv, fd, two, 2, 0, &got32, &flags);
  CHECK(AGAIN, "nothing has come", fd_read, fd, two, 2, &got32);
  CHECK(SUCCESS, "of a connection", fd_fdstat_set_flags, fd, 0);
  peer("send hello world");
  wait[0].id = fd;
  CHECK(SUCCESS, "a message", poll_oneoff, wait, events, 2, &got32);
  HOLDS(poll_oneoff, "how much has come", got32 == 1 && events[0].user == 1 && events[0].bytes == 11);
  CHECK(SUCCESS, "a look", sock_recv, fd, two, 1, PEEK, &got32, &flags);
  HOLDS(sock_recv, "a look leaves it there", got32 == 5 && !memcmp(a, "hello", 5) && flags == 0);
  CHECK(FAULT, "no room for the flags", sock_recv, fd, two, 2, 0, &got32, (void *)-1);
  CHECK(FAULT, "no room for the size", sock_recv, fd, two, 2, 0, (void *)-1, &flags);
  CHECK(FAULT, "no room", sock_recv, fd, (void *)-1, 2, 0, &got32, &flags);
  CHECK_UNKNOWN(INVAL, "unknown flags", sock_recv, fd, two, 2, 8, &got32, &flags);
  CHECK(SUCCESS, "all of it", sock_recv, fd, two, 2, WAITALL, &got32, &flags);
  HOLDS(sock_recv, "fills the pieces in order", got32 == 11 && !memcmp(a, "hello", 5) && !memcmp(b, " world", 6));
  peer("send abc");
  CHECK(SUCCESS, "a connection", fd_read, fd, two, 2, &got32);
  HOLDS(fd_read, "what there is", got32 == 3 && !memcmp(a, "abc", 3));

  iovec_t out[2] = {vec("one ", 4), vec("two", 3)};
  CHECK(SUCCESS, "two pieces", sock_send, fd, out, 2, 0, &got32);
  HOLDS(sock_send, "tells how much", got32 == 7);
  peer("receive one two");
  CHECK(SUCCESS, "a connection", fd_write, fd, out, 1, &got32);
  peer("receive one ");
  CHECK(INVAL, "flags, of which there are none", sock_send, fd, out, 2, 1, &got32);
  CHECK(FAULT, "from nowhere", sock_send, fd, (void *)-1, 2, 0, &got32);
  CHECK(FAULT, "no room for the size", sock_send, fd, out, 2, 0, (void *)-1);

  CHECK(SPIPE, "a connection", fd_seek, fd, 0, 0, &got64);
  CHECK(SPIPE, "a connection", fd_tell, fd, &got64);
  CHECK(NOTCAPABLE, "a connection", sock_accept, fd, 0, &got32);
  CHECK(NOTCAPABLE, "a listening socket", sock_recv, LISTENER, two, 2, 0, &got32, &flags);
  CHECK(NOTCAPABLE, "a listening socket", sock_send, LISTENER, out, 2, 0, &got32);
  CHECK(NOTCAPABLE, "a listening socket", sock_shutdown, LISTENER, DOWN_WRITE);
  CHECK(NOTDIR, "from a socket", path_open, fd, 0, P("x"), 0, 0, 0, 0, &got32);

  CHECK(INVAL, "neither way", sock_shutdown, fd, 0);
  CHECK_UNKNOWN(INVAL, "an unknown way", sock_shutdown, fd, 4);
  CHECK(SUCCESS, "to write", sock_shutdown, fd, DOWN_WRITE);
  peer("receive nothing more");
  CHECK(PIPE, "after shutting down", sock_send, fd, out, 2, 0, &got32);
  peer("send last");
  CHECK(SUCCESS, "after shutting the other way down", sock_recv, fd, two, 1, 0, &got32, &flags);
  HOLDS(sock_recv, "the other way is open", got32 == 4 && !memcmp(a, "last", 4));
  peer("close");
  CHECK(SUCCESS, "after the peer has gone", sock_recv, fd, two, 2, 0, &got32, &flags);
  HOLDS(sock_recv, "the end is nothing", got32 == 0);
  CHECK(SUCCESS, "the end", poll_oneoff, wait, events, 2, &got32);
  HOLDS(poll_oneoff, "the end is a hangup", got32 == 1 && events[0].flags == 1);
  CHECK(SUCCESS, "a connection", fd_close, fd);
  CHECK(BADF, "closed", sock_recv, fd, two, 2, 0, &got32, &flags);
  CHECK(BADF, "closed", sock_send, fd, out, 2, 0, &got32);
  CHECK(BADF, "closed", sock_shutdown, fd, DOWN_READ);
  CHECK(SUCCESS, "a listening socket", fd_close, LISTENER);
  CHECK(BADF, "closed", sock_accept, LISTENER, 0, &fd);
  return finish();
}

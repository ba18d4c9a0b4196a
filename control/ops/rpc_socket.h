/*
 * The control socket's file and who may connect to it.
 */
#ifndef SALLYPORT_CONTROL_RPC_SOCKET_H
#define SALLYPORT_CONTROL_RPC_SOCKET_H

#include "base.h"

/** Listen at path, mode 0600, non-blocking. @return fd, or negative errno with a sentence. */
int rpc_socket_listen(const char *path, char *why, size_t why_size);

/** Is the other end this user or root? */
bool rpc_socket_peer_allowed(int fd);

/** Make the directory that holds `path` if just that one is missing. @return 0 or -errno. */
int path_make_parent(const char *path);

#endif

/*
 * Waking across the boundary. The flags of a descriptor (O_NONBLOCK) belong to all who
 * share it, so control can make a read or write of a shared one block. This side
 * therefore writes only to ends of pipes that control has no copy of, and reads what
 * control has a copy of in a way that no flag can make wait.
 */
#ifndef SALLYPORT_WAKEUP_H
#define SALLYPORT_WAKEUP_H

#include "base.h"

/**
 * A way for this side to wake the other.
 * @param ends  [0] for the other side, to read; [1] to write wake-ups, never to be handed
 *              over. Full means that one is pending. Caller closes both.
 * @return 0 or negative errno.
 */
int wakeup_open(int ends[2]);

/** Take what is pending on an eventfd. Never waits. Any thread. @return true if there was some. */
bool wakeup_take(int event_fd);

#endif

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wakeup.h"

int wakeup_open(int ends[2])
{
	return pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

bool wakeup_take(int event_fd)
{
	uint64_t count;
	struct iovec v = {.iov_base = &count, .iov_len = sizeof(count)};

	/* preadv2(2): -1 is the file's own offset. */
	return preadv2(event_fd, &v, 1, -1, RWF_NOWAIT) == (ssize_t)sizeof(count);
}

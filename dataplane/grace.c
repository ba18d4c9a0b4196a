#include "grace.h"
#include "worker.h"

/* Grace periods completed. */
static uint64_t grace_count;

uint64_t grace_stamp(void)
{
	return grace_count;
}

bool grace_passed(uint64_t stamp)
{
	return stamp < grace_count;
}

void grace_wait(uint64_t stamp)
{
	if (grace_passed(stamp))
		return;
	worker_grace();
	grace_count++;
}

/* Whatever control does to the descriptors that it shares, this side never waits. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attach.h"
#include "boundary.h"
#include "doubles.h"
#include "wakeup.h"
#include "worker.h"

static char path[64];
static struct attach_session control;
static int attached;
static atomic_bool done;

static void *control_main(void *arg)
{
	static const struct attach_keys keys = {{1, 2}, {3, 4}};
	char why[256];

	attached = attach_connect(path, 1, &keys, &control, why, sizeof(why));
	atomic_store(&done, true);
	return NULL;
}

static int setup(void **state)
{
	pthread_t t;

	snprintf(path, sizeof(path), "/tmp/sallyport-wakeup-%d.sock", (int)getpid());
	dataplane_setup(64);
	n_workers = 1;
	workers[0].wake_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(boundary_init(path), 0);
	assert_int_equal(pthread_create(&t, NULL, control_main, NULL), 0);
	while (!atomic_load(&done)) {
		boundary_process();
		usleep(1000);
	}
	pthread_join(t, NULL);
	assert_int_equal(attached, 0);
	alarm(20); /* a wait would be for ever */
	return 0;
}

static int teardown(void **state)
{
	alarm(0);
	attach_fini(&control);
	boundary_fini();
	close(workers[0].wake_fd);
	n_workers = 0;
	stats_region_fini();
	return 0;
}

/* Flags belong to all who hold a descriptor, and so does what is in it. */
static void fds_misuse(void)
{
	const uint64_t most = UINT64_MAX - 1;

	for (unsigned int i = 2; i < control.n_fds; i++) {
		int flags = fcntl(control.fds[i], F_GETFL);

		/* Full to the brim, where it may write at all ... */
		if (write(control.fds[i], &most, sizeof(most)) < 0)
			assert_true(errno == EBADF || errno == EAGAIN);
		/* ... and then let whoever writes more, or reads from an empty one, wait. */
		assert_int_equal(fcntl(control.fds[i], F_SETFL, flags & ~O_NONBLOCK), 0);
	}
}

static void test_control_cannot_make_us_wait(void **state)
{
	struct record_hdr up = {.type = REC_SIP_UP};
	struct str_view piece = {(const char *)&up, sizeof(up)};
	struct worker_rings *w = atomic_load(&workers[0].rings);
	struct ring *theirs = &control.shard[0].up[0];

	fds_misuse();
	/* More wake-ups than a pipe holds; nobody reads them. */
	for (unsigned int i = 0; i < 20000; i++) {
		ring_sleep(theirs);
		assert_int_equal(ring_put(&w->up[0], &piece, 1), 0);
		ring_publish(&w->up[0]);
		assert_int_equal(ring_get(theirs, &up, sizeof(up)), sizeof(up));
		ring_release(theirs);
	}
	for (unsigned int i = 0; i < 3; i++) {
		boundary_process();
		wakeup_take(workers[0].wake_fd);
	}
	assert_false(wakeup_take(workers[0].wake_fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_control_cannot_make_us_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

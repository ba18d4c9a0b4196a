/*
 * The end of a capture when its disk hangs: whoever asks gets an answer at once, and the file is
 * complete later. What hangs here is the closing of the file.
 */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_pcapng.h>

#include "boundary.h"
#include "capture.h"

#define HANGS_S 10

static char folder[] = "/tmp/sallyport-capture-XXXXXX";
static sem_t disk;	    /* one more closing may go on */
static atomic_bool closing; /* the disk is asked, and has not answered */
static atomic_bool gave_up; /* nobody let the disk answer */

void __real_rte_pcapng_close(rte_pcapng_t *self);
void __wrap_rte_pcapng_close(rte_pcapng_t *self);

void __wrap_rte_pcapng_close(rte_pcapng_t *self)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HANGS_S;
	atomic_store(&closing, true);
	if (sem_timedwait(&disk, &until) < 0)
		atomic_store(&gave_up, true);
	__real_rte_pcapng_close(self);
	atomic_store(&closing, false);
}

static const struct stats_capture *state_of(void)
{
	return &stats_region->capture;
}

static int start(const char *file)
{
	struct rec_capture_start r = {.snaplen = 2048, .max_mib = 1, .max_s = 60};

	snprintf(r.file, sizeof(r.file), "%s", file);
	return capture_start(&r);
}

static void wait_for(atomic_bool *flag)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < 5000 && !atomic_load(flag); i++)
		nanosleep(&pause, NULL);
	assert_true(atomic_load(flag));
}

/* Until the file is complete. */
static void wait_idle(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < 5000 && state_of()->state != CAPTURE_IDLE; i++) {
		capture_poll(0);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(state_of()->state, CAPTURE_IDLE);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

static void stop_waits_for_no_disk(void **state)
{
	struct stat file;

	assert_int_equal(capture_stop(), -ENOENT);
	assert_int_equal(start("one"), 0);
	assert_int_equal(state_of()->state, CAPTURE_RUNNING);
	assert_int_equal(start("two"), -EBUSY);
	assert_int_equal(capture_stop(), 0);
	wait_for(&closing);
	for (unsigned int i = 0; i < 10; i++) {
		capture_poll(0);
		assert_int_equal(state_of()->state, CAPTURE_WRITING);
	}
	assert_int_equal(capture_stop(), 0);
	assert_int_equal(start("two"), -EINPROGRESS);
	assert_true(atomic_load(&closing));
	sem_post(&disk);
	wait_idle();
	assert_int_equal(state_of()->end, CAPTURE_END_STOPPED);
	assert_int_equal(stat(state_of()->file, &file), 0);
	assert_int_equal(state_of()->bytes, file.st_size);
	assert_true(file.st_size > 0);
	assert_false(atomic_load(&gave_up));
	remove_file("one");
}

/* A limit ends it likewise, and then the next one can begin. */
static void limits_wait_for_no_disk(void **state)
{
	assert_int_equal(start("two"), 0);
	capture_poll(UINT64_MAX);
	wait_for(&closing);
	assert_int_equal(state_of()->state, CAPTURE_WRITING);
	assert_int_equal(state_of()->end, CAPTURE_END_TIME);
	sem_post(&disk);
	wait_idle();
	remove_file("two");
	assert_int_equal(start("three"), 0);
	sem_post(&disk);
	capture_fini();
	assert_int_equal(state_of()->state, CAPTURE_IDLE);
	assert_false(atomic_load(&gave_up));
	remove_file("three");
}

/* The program ends all the same. */
static void the_end_waits_not_long(void **state)
{
	assert_int_equal(start("four"), 0);
	capture_fini();
	assert_int_equal(state_of()->state, CAPTURE_WRITING);
	assert_false(atomic_load(&gave_up));
	remove_file("four");
}

static int setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"64", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	if (rte_eal_init(ARRAY_LEN(argv), argv) < 0 || mkdtemp(folder) == NULL)
		return -1;
	sem_init(&disk, 0, 0);
	capture_init(folder);
	return stats_region_init(4, 0, false);
}

static int teardown(void **state)
{
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_waits_for_no_disk),
		cmocka_unit_test(limits_wait_for_no_disk),
		cmocka_unit_test(the_end_waits_not_long),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * Call records: one line each, whatever happens to the file.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cdr_file.h"
#include "log.h"

static char dir[64], file[96], other[96];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/sallyport-cdr-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/new/cdr.jsonl", dir);
	snprintf(other, sizeof(other), "%s/new/cdr.jsonl.1", dir);
	return 0;
}

static int teardown(void **state)
{
	char sub[80];

	unlink(file);
	unlink(other);
	snprintf(sub, sizeof(sub), "%s/new", dir);
	rmdir(sub);
	rmdir(dir);
	return 0;
}

/* Lines of a file, each of which must be a whole JSON object. */
static unsigned int lines_of(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[4096];
	unsigned int n = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *o = json_loads(line, 0, NULL);

		assert_non_null(o);
		assert_int_equal(line[strlen(line) - 1], '\n');
		json_decref(o);
		n++;
	}
	fclose(f);
	return n;
}

static const char record[] = "{\"from\":\"sip:alice@example.com\"}";

static void write_one(struct cdr_file *c)
{
	cdr_file_write(c, (struct str_view){record, sizeof(record) - 1});
}

static void test_append_and_rotate(void **state)
{
	struct cdr_file *c = cdr_file_new(file);
	char text[128] = "";
	int fd;

	write_one(c);
	write_one(c);
	assert_int_equal(lines_of(file), 2);
	assert_int_equal(rename(file, other), 0);
	write_one(c);
	assert_int_equal(lines_of(file), 1);
	assert_int_equal(lines_of(other), 2);
	unlink(file);
	write_one(c);
	assert_int_equal(lines_of(file), 1);
	assert_int_equal(cdr_file_get_stats(c).written, 4);
	cdr_file_free(c);
	/* A second run appends. */
	c = cdr_file_new(file);
	write_one(c);
	assert_int_equal(lines_of(file), 2);
	cdr_file_free(c);
	fd = open(file, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_memory_equal(text, record, sizeof(record) - 1);
}

static void test_directory_gone(void **state)
{
	struct cdr_file *c = cdr_file_new(file);
	char sub[80];

	unlink(file);
	snprintf(sub, sizeof(sub), "%s/new", dir);
	assert_int_equal(rmdir(sub), 0);
	write_one(c); /* made again */
	assert_int_equal(lines_of(file), 1);
	unlink(file);
	rmdir(sub);
	assert_int_equal(rmdir(dir), 0); /* two levels gone: lost, counted, not fatal */
	write_one(c);
	assert_int_equal(cdr_file_get_stats(c).failed, 1);
	assert_int_equal(mkdir(dir, 0700), 0);
	write_one(c);
	assert_int_equal(cdr_file_get_stats(c).written, 2);
	cdr_file_free(c);
}

static void test_disk_full(void **state)
{
	const struct rlimit full = {.rlim_cur = 64, .rlim_max = RLIM_INFINITY};
	struct rlimit before;
	struct cdr_file *c = cdr_file_new(file);

	signal(SIGXFSZ, SIG_IGN);
	write_one(c);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	write_one(c);
	write_one(c);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(cdr_file_get_stats(c).written, 1);
	assert_int_equal(cdr_file_get_stats(c).failed, 2);
	write_one(c); /* there is room again: no half line stands before it */
	assert_int_equal(lines_of(file), 2);
	cdr_file_free(c);
}

static void test_record_that_could_not_be_made(void **state)
{
	struct cdr_file *c = cdr_file_new(file);
	unsigned int before = lines_of(file);

	cdr_file_write(c, (struct str_view){NULL, 0});
	assert_int_equal(cdr_file_get_stats(c).failed, 1);
	write_one(c);
	assert_int_equal(cdr_file_get_stats(c).written, 1);
	assert_int_equal(lines_of(file), before + 1);
	cdr_file_free(c);
}

static void test_batch(void **state)
{
	struct cdr_file *c = cdr_file_new(file);
	struct cdr_batch b = {.file = c};
	const struct str_view one = {record, sizeof(record) - 1};
	unsigned int before = lines_of(file), many = sizeof(b.lines) / one.len + 10;
	char *long_one = malloc(sizeof(b.lines));

	cdr_batch_flush(&b);
	cdr_batch_add(&b, one);
	cdr_batch_add(&b, one);
	assert_int_equal(lines_of(file), before);
	cdr_batch_flush(&b);
	cdr_batch_flush(&b);
	assert_int_equal(lines_of(file), before + 2);
	/* One that could not be made, and one that fits no batch, go their way at once, in order.
	 */
	cdr_batch_add(&b, one);
	cdr_batch_add(&b, (struct str_view){NULL, 0});
	assert_int_equal(cdr_file_get_stats(c).failed, 1);
	memset(long_one, ' ', sizeof(b.lines));
	memcpy(long_one, "{}", 2);
	cdr_batch_add(&b, (struct str_view){long_one, sizeof(b.lines)});
	assert_int_equal(cdr_file_get_stats(c).written, 4);
	assert_int_equal(b.records, 0);
	for (unsigned int i = 0; i < many; i++)
		cdr_batch_add(&b, one);
	assert_in_range(b.records, 1, many - 1);
	cdr_batch_flush(&b);
	assert_int_equal(cdr_file_get_stats(c).written, 4 + many);
	assert_int_equal(cdr_file_get_stats(c).failed, 1);
	free(long_one);
	cdr_file_free(c);
}

static void test_none_configured(void **state)
{
	struct cdr_file *c = cdr_file_new("");

	write_one(c);
	assert_int_equal(cdr_file_get_stats(c).written, 0);
	assert_int_equal(cdr_file_get_stats(c).failed, 0);
	cdr_file_free(c);
}

#define THREADS 4
#define RECORDS 500

static void *writer(void *arg)
{
	for (int i = 0; i < RECORDS; i++)
		write_one(arg);
	return NULL;
}

static void test_threads(void **state)
{
	struct cdr_file *c = cdr_file_new(file);
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, writer, c), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(lines_of(file), THREADS * RECORDS);
	cdr_file_free(c);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED(test_append_and_rotate),
		BED(test_directory_gone),
		BED(test_disk_full),
		BED(test_record_that_could_not_be_made),
		BED(test_batch),
		BED(test_none_configured),
		BED(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

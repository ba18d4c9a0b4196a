/*
 * Every SIP message of the corpus into a layer whose user answers 486 to INVITE and
 * 200 to the rest. No crash, each answer scans clean, all is freed.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "world.h"

static struct world w;
static unsigned int n_files, n_answers;

static void answer(struct world *world, enum event_kind kind, void *txn)
{
	unsigned int status;

	if (kind != SAW_REQUEST)
		return;
	status = server_txn_request(txn)->idx.method == SIP_INVITE ? 486 : 200;
	/* A message may be too long or odd to answer, but never by a bad answer. */
	(void)server_txn_reply(txn, status, SV("ours"), SV(""));
}

static void feed_file(const char *path)
{
	static char buf[SIP_MSG_LEN_MAX + 1];
	FILE *f = fopen(path, "rb");
	size_t len;

	assert_non_null(f);
	len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	w.n_sent = w.n_events = 0;
	/* Twice: the second one is a retransmission, or is refused again. */
	for (unsigned int round = 0; round < 2; round++)
		world_feed_text(&w, (struct str_view){buf, len});
	for (unsigned int i = 0; i < w.n_sent; i++) {
		if (world_sent_status(&w, i) < 100)
			fail_msg("%s: answer %u is no response", path, i);
		n_answers++;
	}
	w.n_sent = w.n_events = 0;
	/* The next file often has the same Call-ID and branch. */
	world_run(&w, w.timers.now_ms + 100000);
	if (txn_layer_stats(w.layer)->servers != 0)
		fail_msg("%s: %u transactions left", path,
			(unsigned int)txn_layer_stats(w.layer)->servers);
	n_files++;
}

static void walk(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		char path[2048];
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		assert_int_equal(stat(path, &st), 0);
		if (S_ISDIR(st.st_mode))
			walk(path);
		else
			feed_file(path);
	}
	closedir(d);
}

static void test_corpus(void **state)
{
	static const char *const dirs[] = {"rfc4475", "rfc5118", "attacks", "messages"};
	const char *shared = getenv("SALLYPORT_SHARED");
	char path[1024];

	world_init(&w);
	w.hook = answer;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof(path), "%s/corpus/%s", shared != NULL ? shared : "../shared",
			dirs[i]);
		walk(path);
	}
	printf("%u files, %u answers, %u refused, %u ignored\n", n_files, n_answers,
		(unsigned int)txn_layer_stats(w.layer)->refused,
		(unsigned int)txn_layer_stats(w.layer)->ignored);
	assert_true(n_files > 100);
	assert_true(n_answers > 100);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
	const char *shared = getenv("SALLYPORT_SHARED");
	char path[1024];
	struct stat st;

	snprintf(path, sizeof(path), "%s/corpus", shared != NULL ? shared : "../shared");
	if (stat(path, &st) != 0) {
		printf("skipped: no corpus at %s: put it there or set SALLYPORT_SHARED\n", path);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

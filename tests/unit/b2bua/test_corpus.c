/*
 * Every message of the corpus into a B2BUA, from both sides, between the messages of
 * a call that must go on. What comes out must be well-formed (the lab's wire checks) and have no
 * header but those of a list, and nothing may be left in the end.
 */
#include <ftw.h>

#include "lab.h"

#define FILE_MAX (256 * 1024)

static unsigned int n_files;

/* Headers that the box writes, of what the corpus makes it write. */
static const char *const written[] = {"Accept", "Accept-Language", "Allow", "Allow-Events",
	"Authorization", "CSeq", "Call-ID", "Contact", "Content-Disposition", "Content-Encoding",
	"Content-Language", "Content-Length", "Content-Type", "Date", "Event", "Expires", "From",
	"MIME-Version", "Max-Forwards", "Priority", "Privacy", "Proxy-Authorization", "Reason",
	"Recv-Info", "Refer-To", "Retry-After", "SIP-If-Match", "Server", "Subject",
	"Subscription-State", "Supported", "Timestamp", "To", "Unsupported", "User-Agent", "Via"};

static bool is_written(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(written); i++)
		if (strlen(written[i]) == len && memcmp(written[i], name, len) == 0)
			return true;
	return false;
}

/* Lines as the simplest reader takes them, not as our parser does: no other header came out, nor is
 * one hidden inside of those that may (threats.md row 8); and the body is as long as they say. */
static void check_lines(const struct lab_msg *m)
{
	const char *end = m->text + m->len, *line = memchr(m->text, '\n', m->len);
	unsigned long length = 0;
	unsigned int lengths = 0;

	assert_non_null(line);
	for (line++; line < end && *line != '\r'; line++) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		const char *cr = memchr(line, '\r', (size_t)(end - line));
		const char *colon = memchr(line, ':', (size_t)(end - line));

		if (lf == NULL || cr != lf - 1 || colon == NULL || colon > lf)
			fail_msg("a line that is none in:\n%s", m->text);
		if (!is_written(line, (size_t)(colon - line)))
			fail_msg("%.*s came out", (int)(colon - line), line);
		if (strncmp(line, "Content-Length:", 15) == 0) {
			length = strtoul(line + 15, NULL, 10);
			lengths++;
		}
		line = lf;
	}
	assert_true(end - line >= 2 && line[1] == '\n');
	assert_int_equal(lengths, 1);
	assert_int_equal(length, end - line - 2);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char buf[FILE_MAX];
	size_t len = strlen(path), n;
	FILE *f;

	if (type != FTW_F || len < 4 ||
		(strcmp(path + len - 4, ".sip") != 0 && strcmp(path + len - 4, ".dat") != 0))
		return 0;
	print_message("%s\n", path);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	if (n > SIP_MSG_LEN_MAX)
		return 0; /* longer than a datagram can be */
	lab_feed(&lab, OUTSIDE, "192.0.2.66:5060", buf, n);
	lab_feed(&lab, INSIDE, "10.0.0.10:5060", buf, n);
	lab_run(&lab, 100);
	for (unsigned int i = 0; i < lab.n_msgs; i++)
		check_lines(&lab.msg[i]);
	lab_forget(&lab);
	n_files++;
	return 0;
}

static void test_corpus(void **state)
{
	static const char *const parts[] = {"rfc4475", "rfc5118", "messages", "attacks"};
	const char *shared = getenv("SALLYPORT_SHARED");
	struct ua caller, callee;
	char dir[512];

	lab_init(&lab);
	lab.routes[0].user_prefix[0] = '\0'; /* any user is somebody */
	lab_establish(&lab, &caller, &callee);
	lab_forget(&lab);
	lab.leaks_allowed = true; /* addresses in user parts and names go through by design */
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(dir, sizeof(dir), "%s/corpus/%s", shared ? shared : "../shared", parts[i]);
		assert_int_equal(nftw(dir, visit, 8, FTW_PHYS), 0);
	}
	assert_true(n_files > 500);
	assert_true(b2bua_get_stats(lab.b2bua)->calls_total > 20);
	for (unsigned int i = 0; i < 140; i++) { /* timers B, F, H: 32 s; ring time: 60 s */
		lab_run(&lab, 500);
		lab_forget(&lab);
	}
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 1);
	lab.leaks_allowed = false;
	lab_hang_up(&lab, &caller, &callee);
	lab_fini(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
	const char *shared = getenv("SALLYPORT_SHARED");
	char dir[512];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/corpus/messages", shared ? shared : "../shared");
	if (stat(dir, &st) != 0) {
		printf("skipped: no corpus at %s: put it there or set SALLYPORT_SHARED\n", dir);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

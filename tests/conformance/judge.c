#include "judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "corpus.h"
#include "guard_page.h"

static struct guard guard;
struct sip_index judge_idx;

/* Extensions that the box takes part in. */
static const struct str_view supported =
	SV("100rel,eventlist,multiple-refer,norefersub,precondition,"
	   "replaces,sec-agree,siprec,tdialog,timer");

void judge_init(void)
{
	guard = guard_new(CORPUS_FILE_MAX);
}

void judge_fini(void)
{
	guard_free(&guard);
}

unsigned int judge(const char *msg, size_t len, const char **reason)
{
	const char *p = guard_put(&guard, msg, len);
	enum sip_scan_error error = sip_scan(p, len, &judge_idx);
	struct sip_verdict verdict;

	assert_int_equal(sip_index_check(&judge_idx, SIP_INDEX_LEN(judge_idx.n_headers), len), 0);
	verdict = sip_validate(p, &judge_idx, supported);
	assert_true(error == SIP_SCAN_NONE || verdict.status >= 400);
	if (reason != NULL)
		*reason = verdict.reason;
	return verdict.status;
}

unsigned int judge_file(const char *path, const char **reason)
{
	size_t len, step;
	char *msg = corpus_read(path, &len);
	unsigned int status;

	step = len > 4096 ? 61 : 1;
	for (size_t n = 0; n < len; n += step) {
		const char *p;

		judge(msg, n, NULL);
		p = guard_put(&guard, msg, n);
		assert_true(sip_frame(p, n) <= (int)n);
	}
	status = judge(msg, len, reason);
	free(msg);
	return status;
}

/*
 * The parser's verdict on a message.
 */
#ifndef SALLYPORT_TESTS_JUDGE_H
#define SALLYPORT_TESTS_JUDGE_H

#include "sip_parse.h"

/** Of the message judged last. Its spans are into the bytes that were given. */
extern struct sip_index judge_idx;

/** Before the first use, and at the end. */
void judge_init(void);
void judge_fini(void);

/**
 * Scan and validate a message that ends at an unreadable page.
 * @param reason  NULL: not wanted. @return the status owed, 0 for none; a response that is to be
 *         dropped counts as 400.
 */
unsigned int judge(const char *msg, size_t len, const char **reason);

/** Judge a file of the corpus, whole and cut off at every byte (every 61st of a large one). */
unsigned int judge_file(const char *path, const char **reason);

#endif

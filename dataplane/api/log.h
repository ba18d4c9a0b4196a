/*
 * Logs to stderr: "LEVEL message key=value ...", one line each, one write each.
 * Both processes use it. Under systemd the "<N>" priority prefix lets journald take the level. Any
 * thread.
 */
#ifndef SALLYPORT_API_LOG_H
#define SALLYPORT_API_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/** Control characters in the text come out escaped: what peers sent cannot forge a line. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines of one kind that somebody outside can cause as often as he likes: so many at once, then one
 * a second. */
#define LOG_LIMIT_BURST 10
#define LOG_LIMIT_STEP_NS 1000000000ull

/** Zeroed at first. Any thread. */
struct log_limit {
	_Atomic uint64_t full_ns;
	_Atomic uint64_t suppressed; /* since the last line */
};

/**
 * May one more line be written?
 * @param suppressed  set, if so, to how many were not since the last one.
 */
bool log_limit_take(struct log_limit *l, uint64_t now_ns, uint64_t *suppressed);

/** As log_write(), within the limit (NULL: none). A line behind others that were suppressed ends
 * with "(N more suppressed)". */
void log_write_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** For each place that logs one limit. */
#define log_limited(level, ...) \
	do { \
		static struct log_limit limit_; \
		log_write_limited(&limit_, level, __VA_ARGS__); \
	} while (0)
#define log_error_limited(...) log_limited(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn_limited(...) log_limited(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info_limited(...) log_limited(LOG_LEVEL_INFO, __VA_ARGS__)

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

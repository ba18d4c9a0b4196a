#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "log.h"

/* One line, escapes included; longer ones are cut. */
#define LOG_LINE_MAX 2048
#define LOG_TEXT_MAX 1536

static _Atomic int log_level = LOG_LEVEL_INFO;
static const char *const log_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
/* sd-daemon(3): syslog priorities err, warning, info, debug. */
static const char *const log_priorities[] = {"<3>", "<4>", "<6>", "<7>"};

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

/* Copy text with control characters as \xNN. @return bytes written, at most cap. */
static size_t log_escape(char *dst, size_t cap, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= 0x20 && c != 0x7f;

		if (n + (plain ? 1 : 4) > cap)
			break;
		if (plain) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[c >> 4];
		dst[n++] = hex[c & 15];
	}
	return n;
}

static bool is_shown(enum log_level level)
{
	return (unsigned int)level < ARRAY_LEN(log_names) &&
	       (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static void line_write(enum log_level level, uint64_t suppressed, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX];
	/* Room for the number, and the line's end. */
	const size_t most = sizeof(line) - 64;
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	size_t len;

	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;

	/* systemd sets JOURNAL_STREAM when stderr goes to the journal (systemd.exec(5)). */
	len = (size_t)snprintf(line, sizeof(line), "%s%s ",
		getenv("JOURNAL_STREAM") != NULL ? log_priorities[level] : "", log_names[level]);
	len += log_escape(line + len, most - len, text, (size_t)n);
	if (suppressed > 0)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " (%llu more suppressed)",
			(unsigned long long)suppressed);
	line[len++] = '\n';
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!is_shown(level))
		return;
	va_start(ap, fmt);
	line_write(level, 0, fmt, ap);
	va_end(ap);
	errno = saved;
}

/* The bucket in one word, as in token.h: when it is full again. */
bool log_limit_take(struct log_limit *l, uint64_t now_ns, uint64_t *suppressed)
{
	uint64_t full = atomic_load(&l->full_ns), base;

	do {
		base = full > now_ns ? full : now_ns;
		if (base - now_ns > (LOG_LIMIT_BURST - 1) * LOG_LIMIT_STEP_NS) {
			atomic_fetch_add(&l->suppressed, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&l->full_ns, &full, base + LOG_LIMIT_STEP_NS));
	*suppressed = atomic_exchange(&l->suppressed, 0);
	return true;
}

void log_write_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	uint64_t suppressed = 0;
	int saved = errno;
	struct timespec ts;
	va_list ap;

	if (!is_shown(level))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (l != NULL && !log_limit_take(l, (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec,
				 &suppressed))
		return;
	va_start(ap, fmt);
	line_write(level, suppressed, fmt, ap);
	va_end(ap);
	errno = saved;
}

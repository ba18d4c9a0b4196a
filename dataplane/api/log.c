#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
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

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX];
	int saved = errno, n;
	va_list ap;
	size_t len;

	if ((unsigned int)level >= ARRAY_LEN(log_names) ||
		(int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;

	/* systemd sets JOURNAL_STREAM when stderr goes to the journal (systemd.exec(5)). */
	len = (size_t)snprintf(line, sizeof(line), "%s%s ",
		getenv("JOURNAL_STREAM") != NULL ? log_priorities[level] : "", log_names[level]);
	len += log_escape(line + len, sizeof(line) - len - 1, text, (size_t)n);
	line[len++] = '\n';
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
	errno = saved;
}

/*
 * Logs to stderr: "LEVEL message key=value ...", one line each, one write each.
 * Both processes use it. Under systemd the "<N>" priority prefix lets journald take the level. Any
 * thread.
 */
#ifndef SALLYPORT_API_LOG_H
#define SALLYPORT_API_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/** Control characters in the text come out escaped: what peers sent cannot forge a line. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

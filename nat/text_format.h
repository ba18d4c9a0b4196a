/*
 * The part of printf that messages are made of, at a tenth of its cost: printf into a buffer is
 * a stream with locks, locale and wide characters behind it.
 */
#ifndef SALLYPORT_NAT_TEXT_FORMAT_H
#define SALLYPORT_NAT_TEXT_FORMAT_H

#include <stdarg.h>

#include "base.h"

/**
 * Write into buf by a format of ours: %s, %.*s, %c, %d, %u (each number also with l, ll or z, and
 * %03u with one digit of width), %%. Another conversion is a mistake of ours: it ends the program.
 *
 * @return characters written, a NUL behind them; -EMSGSIZE when they do not fit (buf then holds
 *         the beginning, terminated if cap is not 0). Any thread; never allocates.
 */
int text_format(char *buf, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int text_vformat(char *buf, size_t cap, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

#endif

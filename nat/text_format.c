#include "text_format.h"

#include <errno.h>

#include "decimal.h"

struct out {
	char *buf;
	size_t room; /* without the NUL */
	size_t len;
	bool full;
};

static void put(struct out *o, const char *p, size_t len)
{
	if (len > o->room - o->len) {
		len = o->room - o->len;
		o->full = true;
	}
	if (len > 0) /* nothing may come from nowhere */
		memcpy(o->buf + o->len, p, len);
	o->len += len;
}

static void put_number(struct out *o, bool negative, uint64_t n, size_t width)
{
	char digits[DECIMAL_MAX];
	size_t len = decimal_write(digits, n);

	if (negative)
		put(o, "-", 1);
	for (; width > len; width--)
		put(o, "0", 1);
	put(o, digits, len);
}

/* One conversion, from behind its '%'. */
struct conversion {
	size_t width;	/* of a number, filled up with zeros */
	int precision;	/* of a text; -1: up to its NUL */
	bool wide;	/* a number of 64 bits */
	char character; /* that ends it */
};

static const char *conversion_read(const char *fmt, struct conversion *c, bool *precision)
{
	*c = (struct conversion){.precision = -1};
	*precision = false;
	if (fmt[0] == '0' && fmt[1] >= '1' && fmt[1] <= '9') {
		c->width = (size_t)(fmt[1] - '0');
		fmt += 2;
	}
	if (fmt[0] == '.' && fmt[1] == '*') {
		*precision = true;
		fmt += 2;
	}
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		c->wide = true;
	c->character = *fmt;
	return fmt + (*fmt != '\0');
}

static void put_text(struct out *o, const char *text, int precision)
{
	put(o, text, precision < 0 ? strlen(text) : (size_t)precision);
}

static_assert(sizeof(long) == 8 && sizeof(size_t) == 8, "l and z are 64 bits");

int text_vformat(char *buf, size_t cap, const char *fmt, va_list ap)
{
	struct out o = {.buf = buf, .room = cap > 0 ? cap - 1 : 0, .full = cap == 0};

	while (*fmt != '\0' && !o.full) {
		size_t plain = (size_t)(strchrnul(fmt, '%') - fmt);
		struct conversion c;
		bool precision;
		int64_t n;

		put(&o, fmt, plain);
		fmt += plain;
		if (*fmt == '\0')
			break;
		fmt = conversion_read(fmt + 1, &c, &precision);
		if (precision)
			c.precision = va_arg(ap, int);
		switch (c.character) {
		case 's':
			put_text(&o, va_arg(ap, const char *), c.precision);
			break;
		case 'c':
			put(&o, &(char){(char)va_arg(ap, int)}, 1);
			break;
		case 'u':
			put_number(&o, false,
				c.wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned int), c.width);
			break;
		case 'd':
			n = c.wide ? va_arg(ap, int64_t) : va_arg(ap, int);
			put_number(&o, n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, c.width);
			break;
		case '%':
			put(&o, "%", 1);
			break;
		default:
			assert(!"a conversion that text_format() knows");
		}
	}
	if (cap > 0)
		buf[o.len] = '\0';
	return o.full ? -EMSGSIZE : (int)o.len;
}

int text_format(char *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = text_vformat(buf, cap, fmt, ap);
	va_end(ap);
	return n;
}

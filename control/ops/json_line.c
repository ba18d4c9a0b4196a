#include "json_line.h"

#include "decimal.h"

void json_line_init(struct json_line *l, char *buf, size_t cap)
{
	*l = (struct json_line){.buf = buf, .cap = cap};
}

void json_line_put(struct json_line *l, struct str_view json)
{
	if (l->failed || json.len > l->cap - l->len) {
		l->failed = true;
		return;
	}
	memcpy(l->buf + l->len, json.p, json.len);
	l->len += json.len;
}

/* --- text --- */

/* Stands for itself between quotes. */
static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

#define EACH(b) (0x0101010101010101 * (uint64_t)(b))

/* The top bit of a byte that is 0, in the lowest such byte at least. */
static uint64_t zero_bytes(uint64_t x)
{
	return (x - EACH(1)) & ~x;
}

/* Are these eight bytes plain? (Bit Twiddling Hacks, bytes less and more than n.) */
static bool are_plain(uint64_t x)
{
	uint64_t low = (x - EACH(' ')) & ~x, high = (x + EACH(0x7f - '~')) | x;

	return ((low | high | zero_bytes(x ^ EACH('"')) | zero_bytes(x ^ EACH('\\'))) &
		       EACH(0x80)) == 0;
}

/* How many stand for themselves; hardly any text has another. */
static size_t plain_len(const char *p, size_t len)
{
	size_t n = 0;
	uint64_t word;

	for (; n + sizeof(word) <= len; n += sizeof(word)) {
		memcpy(&word, p + n, sizeof(word));
		if (!are_plain(word))
			break;
	}
	if (n > 0 && n < len && len - n < sizeof(word)) {
		memcpy(&word, p + len - sizeof(word), sizeof(word));
		if (are_plain(word))
			return len;
	}
	while (n < len && is_plain(p[n]))
		n++;
	return n;
}

void json_line_put_quoted(struct json_line *l, const char *text)
{
	struct str_view rest = {text, strlen(text)};

	for (;;) {
		size_t n = plain_len(rest.p, rest.len);

		json_line_put(l, (struct str_view){rest.p, n});
		if (n == rest.len)
			break;
		if (rest.p[n] == '"' || rest.p[n] == '\\')
			json_line_put(l, (struct str_view){(const char[]){'\\', rest.p[n]}, 2});
		else
			json_line_put(l, SV("?"));
		rest = (struct str_view){rest.p + n + 1, rest.len - n - 1};
	}
	json_line_put(l, SV("\""));
}

/* --- numbers --- */

/* At least so many bytes. */
static bool has_room(struct json_line *l, size_t len)
{
	l->failed |= l->cap - l->len < len;
	return !l->failed;
}

void json_line_put_uint(struct json_line *l, uint64_t n)
{
	if (has_room(l, DECIMAL_MAX))
		l->len += decimal_write(l->buf + l->len, n);
}

void json_line_put_thousandths(struct json_line *l, uint64_t n)
{
	size_t used = 3;
	char *places;

	if (!has_room(l, DECIMAL_MAX + 4))
		return;
	l->len += decimal_write(l->buf + l->len, n / 1000);
	l->buf[l->len++] = '.';
	places = l->buf + l->len;
	(void)decimal_write_wide(places, n % 1000, used);
	while (used > 1 && places[used - 1] == '0')
		used--;
	l->len += used;
}

/* --- time --- */

struct date {
	uint32_t year, month, day;
};

/* Of the days since 1970 in the Gregorian calendar, whose 400 years have 146097 days. Years begin
 * in March here, so that what differs between them is their last day. */
static struct date date_of(uint64_t days)
{
	uint64_t since = days + 719468; /* 0000-03-01 */
	uint32_t day = (uint32_t)(since % 146097);
	uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint32_t of_year = day - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153; /* 0: March; five months have 153 days */
	struct date d = {.day = of_year - (153 * month + 2) / 5 + 1};

	d.month = month < 10 ? month + 3 : month - 9;
	d.year = (uint32_t)(since / 146097 * 400) + year + (d.month <= 2);
	return d;
}

static void two_digits(char *out, uint32_t n)
{
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

void json_line_put_time(struct json_line *l, int64_t utc_ms)
{
	char text[] = "\"0000-00-00T00:00:00.000Z\"";
	uint64_t ms = (uint64_t)utc_ms;
	uint32_t second = (uint32_t)(ms / 1000 % 86400);
	struct date date;

	if (utc_ms <= 0) {
		json_line_put(l, SV("null"));
		return;
	}
	date = date_of(ms / 86400000);
	two_digits(text + 1, date.year / 100 % 100);
	two_digits(text + 3, date.year % 100);
	two_digits(text + 6, date.month);
	two_digits(text + 9, date.day);
	two_digits(text + 12, second / 3600);
	two_digits(text + 15, second / 60 % 60);
	two_digits(text + 18, second % 60);
	(void)decimal_write_wide(text + 21, ms % 1000, 3);
	json_line_put(l, (struct str_view){text, sizeof(text) - 1});
}

struct str_view json_line_finish(const struct json_line *l)
{
	return (struct str_view){l->failed ? NULL : l->buf, l->failed ? 0 : l->len};
}

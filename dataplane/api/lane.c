#include "lane.h"

#include "siphash.h"

static uint64_t lane_mac(const uint64_t key[2], const struct net_addr *peer, uint64_t nonce)
{
	uint64_t v[4], word;

	siphash_init(v, key);
	siphash_word(v, nonce, 2);
	for (unsigned int i = 0; i < sizeof(peer->bytes); i += sizeof(word)) {
		memcpy(&word, peer->bytes + i, sizeof(word));
		siphash_word(v, word, 2);
	}
	siphash_word(v, peer->family | (uint64_t)25 << 56, 2);
	v[2] ^= 0xff;
	siphash_rounds(v, 4);
	return siphash_fold(v);
}

static void hex_put(uint64_t x, char out[16])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned int i = 0; i < 16; i++)
		out[i] = digits[x >> (60 - 4 * i) & 15];
}

/* Of a lower-case digit its value + 1, of any other character 0. */
static const uint8_t digit_value[256] = {
	['0'] = 1,
	['1'] = 2,
	['2'] = 3,
	['3'] = 4,
	['4'] = 5,
	['5'] = 6,
	['6'] = 7,
	['7'] = 8,
	['8'] = 9,
	['9'] = 10,
	['a'] = 11,
	['b'] = 12,
	['c'] = 13,
	['d'] = 14,
	['e'] = 15,
	['f'] = 16,
};

/* @return false when there is another character among them. */
static bool hex_get(const char in[16], uint64_t *out)
{
	uint64_t x = 0;

	for (unsigned int i = 0; i < 16; i++) {
		uint8_t digit = digit_value[(uint8_t)in[i]];

		if (digit == 0)
			return false;
		x = x << 4 | (digit - 1u);
	}
	*out = x;
	return true;
}

void lane_token_build(const uint64_t key[2], const struct net_addr *peer, uint64_t nonce,
	char out[LANE_TOKEN_LEN])
{
	hex_put(nonce, out);
	hex_put(lane_mac(key, peer, nonce), out + 16);
}

bool lane_token_read(
	const uint64_t key[2], const struct net_addr *peer, const char *text, uint64_t *nonce)
{
	uint64_t n, mac;

	if (!hex_get(text, &n) || !hex_get(text + 16, &mac) || lane_mac(key, peer, n) != mac)
		return false;
	if (nonce != NULL)
		*nonce = n;
	return true;
}

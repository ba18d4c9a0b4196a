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

static const char digits[16] = {
	'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

static void hex_put(uint64_t x, char out[16])
{
	for (unsigned int i = 0; i < 16; i++)
		out[i] = digits[x >> (60 - 4 * i) & 15];
}

/* @return false when there is another character among them. */
static bool hex_get(const char in[16], uint64_t *out)
{
	uint64_t x = 0;

	for (unsigned int i = 0; i < 16; i++) {
		const char *at = memchr(digits, in[i], 16);

		if (at == NULL)
			return false;
		x = x << 4 | (uint64_t)(at - digits);
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

bool lane_token_check(
	const uint64_t key[2], const struct net_addr *peer, struct str_view text, uint64_t *nonce)
{
	uint64_t n, mac;

	if (text.len < LANE_TOKEN_LEN || !hex_get(text.p, &n) || !hex_get(text.p + 16, &mac) ||
		lane_mac(key, peer, n) != mac)
		return false;
	if (nonce != NULL)
		*nonce = n;
	return true;
}

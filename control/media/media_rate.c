#include "media_rate.h"

#define RTP_HEADER 12

/* Of a known codec. Clocks run apart by far less; what is above it is for single packets more. */
#define HEADROOM_BYTES_PERCENT 3
#define HEADROOM_PACKETS_PERCENT 5
/* What a network may hold back and deliver at once: a quarter of a second. */
#define BURST_PARTS 4
#define BURST_PACKETS_MIN 10
/* No packet time given: 20 ms is the default (RFC 3551 section 4.2), 10 ms is used too. */
#define PTIME_MIN_MS 10
/* a=ptime is a wish (RFC 8866 section 6.4): who is asked for longer packets may send these. */
#define PTIME_USUAL_MS 20
/* Events (RFC 4733) come instead of speech, from some phones beside it: so many packets more,
 * small enough for the burst of bytes, two seconds of which a slow codec needs them for. */
#define EVENT_PACKETS 50
#define EVENT_BURST_BYTES 2000

/* RFC 3711 and RFC 7714: a tag of at most 16 bytes and an identifier of the key behind each packet.
 */
#define SRTP_TRAILER 20
/* A flight of DTLS with certificates, and again after it got lost. */
#define DTLS_BYTES 8192
#define DTLS_PACKETS 16

/* Of an unknown codec: bits/s without b=, and the least that b= can mean. */
#define UNKNOWN_BIT_RATE 2000000
#define UNKNOWN_BIT_RATE_MIN 64000
#define UNKNOWN_HEADROOM_PERCENT 10
#define UNKNOWN_PACKET_BYTES 100 /* mean of its packets, at least */

/* RFC 3550 section 6.2: 5 % of the session; the floor is for feedback (RFC 4585). */
#define RTCP_PERCENT 5
#define RTCP_BYTES_MIN 2000
#define RTCP_PACKETS_MIN 25
/* On one port with RTP of a known codec: a compound packet now and then. */
#define MUX_BYTES 100
#define MUX_PACKETS 5

/* T.38: a packet each 10 ms of the fastest modem, with its redundancy. */
#define UDPTL_PACKETS 100
#define UDPTL_DATAGRAM_MIN 200
#define UDPTL_DATAGRAM_MAX 1500

static uint32_t percent_more(uint32_t n, uint32_t percent)
{
	return (uint32_t)(n + (uint64_t)n * percent / 100 + 1);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The shortest packet that may come. */
static uint32_t packet_ms(const struct sdp_codecs *answer, const struct sdp_codecs *offer)
{
	uint32_t ms = answer->ptime_ms, usual = larger(answer->frame_ms, PTIME_USUAL_MS);

	if (ms == 0 || (offer->ptime_ms != 0 && offer->ptime_ms < ms))
		ms = offer->ptime_ms;
	if (ms > usual)
		ms = usual;
	return ms != 0 ? ms : larger(answer->frame_ms, PTIME_MIN_MS);
}

/* Keys are agreed on where media goes, before it and now and then after. */
static void add_handshake(struct media_rates *r, enum sdp_security security)
{
	if (security != SDP_SECURITY_DTLS)
		return;
	r->bytes.burst += DTLS_BYTES;
	r->packets.burst += DTLS_PACKETS;
}

static struct media_rates rate_unknown(const struct sdp_codecs *receiver)
{
	uint32_t bits = receiver->bandwidth != 0 ? larger(receiver->bandwidth, UNKNOWN_BIT_RATE_MIN)
						 : UNKNOWN_BIT_RATE;
	struct media_rates r;

	r.bytes.rate = percent_more(bits / 8, UNKNOWN_HEADROOM_PERCENT);
	r.packets.rate = r.bytes.rate / UNKNOWN_PACKET_BYTES;
	/* Pictures come at once. */
	r.bytes.burst = r.bytes.rate;
	r.packets.burst = r.packets.rate;
	return r;
}

struct media_rates media_rate_rtp(const struct sdp_codecs *answer, const struct sdp_codecs *offer,
	const struct sdp_codecs *receiver, bool mux)
{
	uint32_t ms = packet_ms(answer, offer), packets, bytes;
	uint32_t bits = receiver == answer ? answer->bit_rate_to : answer->bit_rate;
	struct media_rates r;

	if (bits == 0)
		return rate_unknown(receiver);
	packets = (1000 + ms - 1) / ms;
	bytes = bits / 8 + packets * RTP_HEADER;
	if (answer->security != SDP_SECURITY_NONE)
		bytes += packets * SRTP_TRAILER;
	r.bytes.rate = percent_more(bytes, HEADROOM_BYTES_PERCENT) + (mux ? MUX_BYTES : 0);
	r.packets.rate = percent_more(packets, HEADROOM_PACKETS_PERCENT) +
			 (answer->events ? EVENT_PACKETS : 0) + (mux ? MUX_PACKETS : 0);
	r.bytes.burst = larger(r.bytes.rate / BURST_PARTS, answer->events ? EVENT_BURST_BYTES : 0);
	r.packets.burst = larger(r.packets.rate / BURST_PARTS, BURST_PACKETS_MIN);
	add_handshake(&r, answer->security);
	return r;
}

struct media_rates media_rate_rtcp(const struct media_rates *rtp, enum sdp_security security)
{
	uint32_t bytes = (uint32_t)((uint64_t)rtp->bytes.rate * RTCP_PERCENT / 100);
	uint32_t packets = (uint32_t)((uint64_t)rtp->packets.rate * RTCP_PERCENT / 100);
	struct media_rates r;

	r.bytes.rate = r.bytes.burst = larger(bytes, RTCP_BYTES_MIN);
	r.packets.rate = r.packets.burst = larger(packets, RTCP_PACKETS_MIN);
	add_handshake(&r, security);
	return r;
}

struct media_rates media_rate_udptl(const struct sdp_codecs *receiver)
{
	uint32_t datagram = receiver->max_datagram;
	struct media_rates r;

	if (datagram == 0 || datagram > UDPTL_DATAGRAM_MAX)
		datagram = UDPTL_DATAGRAM_MAX;
	datagram = larger(datagram, UDPTL_DATAGRAM_MIN);
	r.packets.rate = UDPTL_PACKETS;
	r.bytes.rate = UDPTL_PACKETS * datagram;
	r.packets.burst = r.packets.rate / 2;
	r.bytes.burst = r.bytes.rate / 2;
	return r;
}

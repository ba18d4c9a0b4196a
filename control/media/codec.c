#include "codec.h"

#include <strings.h>

/*
 * Clocks and static types: RFC 3551 section 6. Bit rates are the highest mode's with the
 * payload header: AMR and AMR-WB RFC 4867, iLBC RFC 3952, G.722.1 RFC 5577, opus RFC 6716
 * section 2.1.1, Speex RFC 5574, EVS 3GPP TS 26.445.
 *
 * Ie and Bpl: ITU-T G.113 (11/2007) appendix I. Both are there, in table I.4, for G.711 with the
 * concealment of its own appendix I, G.729A with VAD, G.723.1 at 6.3 kbit/s with VAD, and GSM-EFR,
 * which AMR is at 12.2 kbit/s. The others have no Bpl there, only an Ie without loss: G.726, G.728
 * and the like are given the Bpl of G.711, which is concealed by the same means, and GSM the one
 * of GSM-EFR, its successor. iLBC has neither: it is given the Ie of G.729A, than which it shall
 * sound no worse, and the Bpl of G.711, as whose its response to loss is (RFC 3951 section 1).
 * Wideband codecs have no figure on the narrowband scale: G.711's, like everything unknown.
 */
#define G711_IE 0
#define G711_BPL 251

static const struct codec codecs[] = {
	{"PCMU", 8000, 0, 8, 1, true, G711_IE, G711_BPL},
	{"PCMA", 8000, 0, 8, 1, true, G711_IE, G711_BPL},
	{"CLEARMODE", 8000, 0, 8, 1, true, G711_IE, G711_BPL},
	{"L8", 8000, 0, 8, 1, true, G711_IE, G711_BPL},
	{"L16", 44100, 0, 16, 1, true, G711_IE, G711_BPL},
	/* 16 kHz sound with a clock of 8 kHz: RFC 3551 section 4.5.2. */
	{"G722", 8000, 64000, 0, 1, true, G711_IE, G711_BPL},
	{"G729", 8000, 8000, 0, 10, true, 11, 190},
	{"G729D", 8000, 6400, 0, 10, true, 11, 190},
	{"G729E", 8000, 12000, 0, 10, true, 11, 190},
	{"G723", 8000, 6400, 0, 30, true, 15, 161},
	{"G728", 8000, 16000, 0, 3, true, 7, G711_BPL},
	{"G726-16", 8000, 16000, 0, 1, true, 50, G711_BPL},
	{"G726-24", 8000, 24000, 0, 1, true, 25, G711_BPL},
	{"G726-32", 8000, 32000, 0, 1, true, 7, G711_BPL},
	{"G726-40", 8000, 40000, 0, 1, true, 2, G711_BPL},
	{"GSM", 8000, 13200, 0, 20, true, 20, 100},
	{"GSM-EFR", 8000, 12400, 0, 20, true, 5, 100},
	{"AMR", 8000, 13600, 0, 20, true, 5, 100},
	{"AMR-WB", 16000, 25600, 0, 20, true, G711_IE, G711_BPL},
	{"iLBC", 8000, 15200, 0, 20, true, 11, G711_BPL},
	{"G7221", 16000, 48000, 0, 20, true, G711_IE, G711_BPL},
	{"speex", 8000, 44000, 0, 20, true, G711_IE, G711_BPL},
	{"opus", 48000, 510000, 0, 10, true, G711_IE, G711_BPL},
	{"EVS", 16000, 128800, 0, 20, true, G711_IE, G711_BPL},
	{"telephone-event", 8000, 0, 0, 10, false, 0, 0},
	{"CN", 8000, 0, 0, 10, false, 0, 0},
};

/* RFC 3551 tables 4 and 5; video types have no row: what they send is not known. */
static const struct {
	uint8_t payload_type;
	const char *name;
} static_types[] = {
	{0, "PCMU"},
	{3, "GSM"},
	{4, "G723"},
	{8, "PCMA"},
	{9, "G722"},
	{10, "L16"},
	{11, "L16"},
	{13, "CN"},
	{15, "G728"},
	{18, "G729"},
};

const struct codec *codec_find(struct str_view name)
{
	for (size_t i = 0; i < ARRAY_LEN(codecs) && name.len > 0; i++)
		if ((name.p[0] | 0x20) == (codecs[i].name[0] | 0x20) &&
			name.len == strlen(codecs[i].name) &&
			strncasecmp(name.p, codecs[i].name, name.len) == 0)
			return &codecs[i];
	return NULL;
}

const struct codec *codec_static(uint8_t payload_type)
{
	for (size_t i = 0; i < ARRAY_LEN(static_types); i++)
		if (static_types[i].payload_type == payload_type)
			return codec_find((struct str_view){
				static_types[i].name, strlen(static_types[i].name)});
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * charset_names: names of charsets as they are declared and guessed. A table, so that a client
 * reaches the decoders of what texts are really written in, and no others of iconv's.
 */
#include "retrieval/charset.h"

struct charset_name {
	const char *label;
	const char *iconv;
};

/* Where a charset is known to be used for a larger one, the larger one (the WHATWG's Encoding
 * Standard, 4.2): what has the bytes of the smaller one alone is the same. */
static const struct charset_name charset_names[] = {
	{ "us-ascii", "CP1252" },
	{ "ascii", "CP1252" },
	{ "iso-8859-1", "CP1252" },
	{ "latin1", "CP1252" },
	{ "windows-1252", "CP1252" },
	{ "cp1252", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "CP874" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "windows-874", "CP874" },
	{ "tis-620", "CP874" },
	{ "viscii", "VISCII" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "ibm852", "CP852" },
	{ "ibm855", "CP855" },
	{ "ibm865", "CP865" },
	{ "ibm866", "CP866" },
	{ "macintosh", "MACINTOSH" },
	{ "mac-cyrillic", "MAC-CYRILLIC" },
	{ "x-mac-cyrillic", "MAC-CYRILLIC" },
	{ "mac-centraleurope", "MAC-CENTRALEUROPE" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "hz-gb-2312", "HZ-GB-2312" },
	{ "big5", "BIG5-HKSCS" },
	{ "big5-hkscs", "BIG5-HKSCS" },
	{ "euc-tw", "EUC-TW" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "euc-jp", "EUC-JP-MS" },
	{ "iso-2022-jp", "ISO-2022-JP" },
	{ "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "uhc", "CP949" },
	{ "johab", "JOHAB" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "utf-16", "UTF-16LE" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
	{ "utf-32", "UTF-32LE" },
	{ "utf-32le", "UTF-32LE" },
	{ "utf-32be", "UTF-32BE" },
};

const char *
charset_find(struct slice label)
{
	for (size_t i = 0; i < sizeof(charset_names) / sizeof(charset_names[0]); i++)
		if (slice_is_nocase(label, charset_names[i].label))
			return charset_names[i].iconv;
	return NULL;
}

// SPDX-License-Identifier: MIT
// PDFs that are made here: one with much that no page shows, one of many pages.
import { randomBytes } from 'node:crypto';

const FONT = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>';
const stream = (bytes) => Buffer.concat([Buffer.from(`<< /Length ${bytes.length} >>\nstream\n`),
	Buffer.from(bytes), Buffer.from('\nendstream')]);
const page = (contents, font) => '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] ' +
	`/Contents ${contents} 0 R /Resources << /Font << /F1 ${font} 0 R >> >> >>`;
const shown = (words) => words.replace(/[()\\]/g, '\\$&');

// The first of them is the catalog, and the second has the pages.
function pdfOf(objects) {
	const parts = [Buffer.from('%PDF-1.7\n')];
	const places = [];
	let at = parts[0].length;
	for (const [i, object] of objects.entries()) {
		const part = Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), Buffer.from(object),
			Buffer.from('\nendobj\n')]);
		places.push(at);
		at += part.length;
		parts.push(part);
	}
	const lines = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
	const size = objects.length + 1;
	parts.push(Buffer.from(`xref\n0 ${size}\n0000000000 65535 f \n${lines}` +
		`trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`));
	return Buffer.concat(parts);
}

// A page with a few words, and a picture of so many bytes that no page shows: a reader that seeks
// passes it by.
export function heavyPdf(bytes, words) {
	return pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
		page(4, 5), stream(`BT /F1 12 Tf 72 720 Td (${shown(words)}) Tj ET`), FONT,
		stream(randomBytes(bytes))]);
}

// Each page is some lines.
export function pagedPdf(pages) {
	const kids = pages.map((_, i) => `${4 + 2 * i} 0 R`);
	return pdfOf(['<< /Type /Catalog /Pages 2 0 R >>',
		`<< /Type /Pages /Kids [${kids.join(' ')}] /Count ${pages.length} >>`, FONT,
		...pages.flatMap((lines, i) => [page(5 + 2 * i, 3), stream('BT /F1 10 Tf 12 TL 72 740 Td ' +
			`${lines.map((line) => `(${shown(line)}) Tj T*`).join('\n')} ET`)])]);
}

// So many pages of a book, as a page of one has it: 45 lines of some 65 characters.
export const bookPdf = (pages) => pagedPdf(Array.from({ length: pages }, (_, i) =>
	Array.from({ length: 45 }, (_, k) =>
		`passage ${45 * i + k}: the river runs past the mill and the orchard, to the sea.`)));

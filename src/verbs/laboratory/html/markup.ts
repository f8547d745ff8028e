const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** HTML that needs no escaping any more. */
export type Markup = string & { readonly kind?: 'markup' };

/** Makes text fit for HTML, between tags and within quoted attributes. */
export function escapeText(text: string): Markup {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** A cell of a table; the first of a row is its heading. */
export interface Cell {
  readonly html: Markup;
  /** Left-aligned words instead of a number. */
  readonly isText?: boolean;
}

/** A table whose first column is headings of rows, with one line of headings above. */
export function htmlTable(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): Markup {
  const headings = head.map((text, i) => {
    return `<th scope="col"${rows[0]?.[i]?.isText ? ' class="text"' : ''}>${escapeText(text)}</th>`;
  });
  return `<div class="scroll"><table>
<caption>${escapeText(caption)}</caption>
<thead><tr>${headings.join('')}</tr></thead>
<tbody>
${rows.map(htmlRow).join('\n')}
</tbody>
</table></div>`;
}

function htmlRow(cells: readonly Cell[]): Markup {
  const parts = cells.map(({ html, isText }, i) => {
    if (i === 0) return `<th scope="row">${html}</th>`;
    return `<td${isText ? ' class="text"' : ''}>${html}</td>`;
  });
  return `<tr>${parts.join('')}</tr>`;
}

/** Text that a script reads as JSON; nothing in it ends the script. */
export const embeddedJson = (value: unknown): Markup => JSON.stringify(value).replaceAll('<', '\\u003c');

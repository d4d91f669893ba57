/** The little XML that the Query protocol answers with. */
const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'

declare const escaped: unique symbol
/** Text that is markup already. */
export type Xml = string & { readonly [escaped]: true }

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
/** What no XML document may hold (XML 1.0 section 2.2): control characters, and what is no character. */
const FORBIDDEN = /(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu

const escapeText = (text: string): string =>
  text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '')

export const element = (name: string, content: string | readonly Xml[]): Xml =>
  `<${name}>${typeof content === 'string' ? escapeText(content) : content.join('')}</${name}>` as Xml

export const document = (name: string, content: readonly Xml[]): string =>
  `<${name} xmlns="${NAMESPACE}">${content.join('')}</${name}>`

/** Text that is markup already. Only `html` and `trusted` make it, so nothing else reaches a page unescaped. */
class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type { Markup };

/** What may stand in a template: text is escaped, markup is not, lists are joined. undefined leaves nothing. */
export type Fragment = string | number | Markup | undefined | readonly Fragment[];

/** Markup from a template literal. Every value is escaped, so attributes that hold one must be quoted. */
export function html(strings: TemplateStringsArray, ...values: readonly Fragment[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(render)));
}

/** Text of this program's own files that is markup, style or script as it stands. Never for what came from outside. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function render(value: Fragment): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.toString();
  if (typeof value === "object") return value.map(render).join("");
  return escape(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

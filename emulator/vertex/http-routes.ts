import { listRpcs } from "./descriptors.ts";
import type { HttpRule, Rpc } from "./descriptors.ts";

/** A REST path understood: the RPC it means and the fields its path holds. */
export interface RouteMatch {
  readonly rpc: Rpc;
  readonly rule: HttpRule;
  /** Dotted request field -> value, e.g. "endpoint.name" -> "projects/p/locations/l/endpoints/1". */
  readonly pathFields: ReadonlyMap<string, string>;
}

interface Route {
  readonly rpc: Rpc;
  readonly rule: HttpRule;
  readonly pattern: RegExp;
  readonly fields: readonly string[];
}

/** Finds the RPC of a REST request by the `google.api.http` rules of the published descriptors. */
export class HttpRoutes {
  readonly #routes = new Map<string, Route[]>();

  constructor() {
    for (const rpc of listRpcs()) {
      for (const rule of rpc.httpRules) {
        const key = `${rule.verb} ${verbOf(rule.template)}`;
        const routes = this.#routes.get(key) ?? [];
        routes.push({ rpc, rule, ...compile(rule.template) });
        this.#routes.set(key, routes);
      }
    }
  }

  /** `path` is the raw path, still percent-encoded. */
  match(httpMethod: string, path: string): RouteMatch | undefined {
    const plain = path.replace(/%3A/gi, ":");
    for (const route of this.#routes.get(`${httpMethod} ${verbOf(plain)}`) ?? []) {
      const found = route.pattern.exec(plain);
      if (found !== null) {
        const fields = route.fields.map(
          (field, index) => [field, decodeURIComponent(found[index + 1] ?? "")] as const,
        );
        return { rpc: route.rpc, rule: route.rule, pathFields: new Map(fields) };
      }
    }
    return undefined;
  }
}

/** The custom verb after the last colon of the last segment, e.g. "deployModel"; "" without one. */
function verbOf(path: string): string {
  return /:([A-Za-z]+)$/.exec(path)?.[1] ?? "";
}

/** "/v1/{name=projects/*\/models/*}:verb" -> a pattern with one group per variable. */
function compile(template: string): { pattern: RegExp; fields: string[] } {
  const fields: string[] = [];
  const source = template
    .split(/(\{[^}]*\})/)
    .map((part) => {
      const variable = /^\{([^=}]+)(?:=(.*))?\}$/.exec(part);
      if (variable === null) return segments(part);
      fields.push(toCamelPath(variable[1] ?? ""));
      return `(${segments(variable[2] ?? "*")})`;
    })
    .join("");
  return { pattern: new RegExp(`^${source}$`), fields };
}

function segments(text: string): string {
  return text
    .replace(/[.+?^$()|[\]\\]/g, "\\$&")
    .replace(/\*\*|\*/g, (stars) => (stars === "**" ? ".+" : "[^/:]+"));
}

function toCamelPath(path: string): string {
  return path.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

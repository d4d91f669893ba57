/** An exposure's own rules on who may have what done, by what AWS KMS says of the request (specification, "Authorization"). */
import type { XksRule } from '../../config/exposures/xks.ts'
import { type Matcher, pattern } from '../../core/policy/aws/pattern.ts'
import type { RequestMetadata } from './schemas.ts'

export type Facts = RequestMetadata & { /** The external key id. */ readonly key: string }
type Condition = { readonly of: (facts: Facts) => string | undefined; readonly matchers: readonly Matcher[] }
type Rule = Pick<XksRule, 'name' | 'effect'> & { readonly conditions: readonly Condition[] }

const SUBJECTS = {
  principals: ({ awsPrincipalArn }) => awsPrincipalArn,
  operations: ({ kmsOperation }) => kmsOperation,
  kmsKeys: ({ kmsKeyArn }) => kmsKeyArn,
  services: ({ kmsViaService }) => kmsViaService,
  vpcs: ({ awsSourceVpc }) => awsSourceVpc,
  vpcEndpoints: ({ awsSourceVpce }) => awsSourceVpce,
  keys: ({ key }) => key,
} as const satisfies Record<Exclude<keyof XksRule, 'name' | 'effect'>, (facts: Facts) => string | undefined>

const NO_VARIABLES = (): undefined => undefined
const NO_ALLOWANCE = 'no rule allows it'

function compile(rule: XksRule): Rule {
  const conditions = (Object.keys(SUBJECTS) as (keyof typeof SUBJECTS)[]).flatMap((name) => {
    const patterns = rule[name]
    return patterns === undefined
      ? []
      : [{ of: SUBJECTS[name], matchers: patterns.map((text) => pattern(text, false)) }]
  })
  return { name: rule.name, effect: rule.effect, conditions }
}

/** A condition on what the request does not say does not hold. */
const holds = ({ conditions }: Rule, facts: Facts): boolean =>
  conditions.every(({ of, matchers }) => {
    const value = of(facts)
    return value !== undefined && matchers.some((matches) => matches(value, NO_VARIABLES))
  })

export class Rules {
  readonly #rules: readonly Rule[]
  /** With rules that allow, what none of them allows is refused. */
  readonly #mustAllow: boolean

  constructor(rules: readonly XksRule[]) {
    this.#rules = rules.map(compile)
    this.#mustAllow = rules.some(({ effect }) => effect === 'allow')
  }

  /** The name of the rule that refuses; undefined: none does. */
  refusal(facts: Facts): string | undefined {
    const held = this.#rules.filter((rule) => holds(rule, facts))
    const denied = held.find(({ effect }) => effect === 'deny')
    if (denied !== undefined) return denied.name
    return this.#mustAllow && !held.some(({ effect }) => effect === 'allow') ? NO_ALLOWANCE : undefined
  }
}

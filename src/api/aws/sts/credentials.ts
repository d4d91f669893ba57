import { newSecretAccessKey, newSessionKeyId } from '../../../core/principals/principal.ts'
import type { NewSession } from '../../../core/principals/sessions.ts'
import { element, type Xml } from './xml.ts'

type Shown = Pick<NewSession, 'accessKeyId' | 'secret' | 'token' | 'expiresAt'>

export const credentials = ({ accessKeyId, secret, token, expiresAt }: Shown): Xml =>
  element('Credentials', [
    element('AccessKeyId', accessKeyId),
    element('SecretAccessKey', secret),
    element('SessionToken', token),
    element('Expiration', new Date(expiresAt).toISOString().replace(/\.\d+/, '')),
  ])

/** Where any credentials do, some to go on with. */
export const anyCredentials = (now: number, seconds: number): Shown => ({
  accessKeyId: newSessionKeyId(),
  secret: newSecretAccessKey(),
  token: newSecretAccessKey(),
  expiresAt: now + seconds * 1000,
})

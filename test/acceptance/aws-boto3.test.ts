/** An unmodified boto3 against the real process. */
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { awsEnvironment, enforcing, hasTool, run } from './aws-tools.ts'

const env = awsEnvironment()
const hasBoto3 = async (): Promise<boolean> =>
  hasTool('python3') && (await run('python3', ['-c', 'import boto3'], { env })).code === 0

t.test('the slice, by boto3', { skip: (await hasBoto3()) ? false : 'no tool: python3 with boto3' }, async (t) => {
  const trefoil = await startTrefoil(enforcing())
  t.teardown(() => trefoil.stop())
  const ran = await run('python3', [join(import.meta.dirname, 'aws-boto3.py'), trefoil.plainUrl], { env })
  t.equal(ran.stderr, '')
  t.equal(ran.stdout.trim(), 'done')
  t.equal(ran.code, 0)
})

import { useOperation } from '../operation.ts'
import { type GenerateDataKeyInput, type GenerateDataKeyOutput, generateDataKey } from './generate-data-key.ts'

/** For those who may order data keys and see none: the data key sealed only, under an action of its own. */
export const generateDataKeyWithoutPlaintext = useOperation<
  GenerateDataKeyInput,
  Omit<GenerateDataKeyOutput, 'plaintext'>
>({
  ...generateDataKey,
  name: 'GenerateDataKeyWithoutPlaintext',
  action: 'generate-data-key-without-plaintext',
  async run(env, target, input) {
    const { plaintext, ...output } = (await generateDataKey.run(env, target, input)).output
    plaintext.fill(0)
    return { output }
  },
})

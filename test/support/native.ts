/** `npm run test:javascript` runs what depends on the native add-on once more without it. */
export const NATIVE: 'auto' | 'off' = process.env.TEST_NATIVE === 'off' ? 'off' : 'auto'

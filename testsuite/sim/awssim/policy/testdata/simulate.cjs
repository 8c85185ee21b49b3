// Reads simulations as a JSON array from standard input and answers with one verdict for each.
const { runSimulation } = require('@cloud-copilot/iam-simulate')

let text = ''
process.stdin.on('data', (chunk) => (text += chunk))
process.stdin.on('end', async () => {
  const verdicts = []
  for (const simulation of JSON.parse(text)) {
    const result = await runSimulation(simulation, {})
    verdicts.push(result.resultType === 'error' ? 'error: ' + JSON.stringify(result.errors) : result.overallResult)
  }
  process.stdout.write(JSON.stringify(verdicts))
})

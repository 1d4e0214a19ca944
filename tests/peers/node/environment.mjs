// What test_slack_npm_clients.py tells the drivers of the two Slack clients by the environment.

export const { SLACK_API_URL: apiUrl, SLACK_TOKEN: token } = process.env;
export const options = JSON.parse(process.env.SLACK_OPTIONS ?? "{}");

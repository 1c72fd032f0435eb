// A real provider on one port of this machine: TLS, one client, one person whose level the test chooses.
// Node 20 or later. Usage: node provider.mjs PORT KEY CERTIFICATE REDIRECT SECRET CHOICE
// CHOICE is a file that says who signs in, and how strongly: {who, acr}.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider, { interactionPolicy } from "oidc-provider";

const [port, key, certificate, redirect, secret, choice] = process.argv.slice(2);
const policy = interactionPolicy.base();
policy.remove("consent");
const provider = new Provider(`https://localhost:${port}`, {
  clients: [{
    client_id: "coordinator", client_secret: secret, redirect_uris: [redirect],
    grant_types: ["authorization_code"], response_types: ["code"],
    token_endpoint_auth_method: "client_secret_basic", require_auth_time: true,
  }],
  acrValues: ["aal2", "aal3"],
  claims: { openid: ["sub"], acr: null, auth_time: null },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { policy, url: (_context, interaction) => `/login/${interaction.uid}` },
  findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  loadExistingGrant: async (context) => {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid");
    await grant.save();
    return grant;
  },
  cookies: { keys: ["a key of the test"] },
});
provider.on("server_error", (_context, error) => console.error(error));
provider.on("grant.error", (_context, error) => console.error(error));
provider.use(async (context, next) => {
  if (!context.path.startsWith("/login/")) return next();
  const { prompt } = await provider.interactionDetails(context.req, context.res);
  if (prompt.name !== "login") context.throw(400);
  const { who, acr } = JSON.parse(readFileSync(choice));
  const result = { login: { accountId: who, acr } };
  await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: false });
});
createServer({ key: readFileSync(key), cert: readFileSync(certificate), minVersion: "TLSv1.3" }, provider.callback())
  .listen(Number(port), "127.0.0.1", () => console.log("listening"));

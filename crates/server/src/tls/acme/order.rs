//! One certificate: ordered, proven to be ours to have, and fetched.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::super::certificates::Certificates;

/// Has a certificate for these names issued. Gives it with those that lead to its root and its key,
/// in PEM.
pub(super) async fn issue(
    account: &Account,
    domains: &[String],
    certificates: &Certificates,
) -> Result<Vec<u8>> {
    let names: Vec<_> = domains.iter().cloned().map(Identifier::Dns).collect();
    let order = account.new_order(&NewOrder::new(&names)).await;
    let mut order = order.context("the authority takes no order")?;
    prove(&mut order, certificates).await?;
    let status = order.poll_ready(&RetryPolicy::new()).await;
    match status.context("the authority does not say what became of the order")? {
        OrderStatus::Ready => {}
        _ => return Err(reason(&mut order).await),
    }
    let key = KeyPair::generate().context("a key cannot be made")?;
    let mut wanted = CertificateParams::new(domains)?;
    wanted.distinguished_name = DistinguishedName::new();
    let request = wanted.serialize_request(&key).context("the request cannot be signed")?;
    order.finalize_csr(request.der()).await.context("the authority does not take the request")?;
    let chain = order.poll_certificate(&RetryPolicy::new()).await;
    let mut pem = chain.context("the authority gives no certificate")?.into_bytes();
    pem.push(b'\n');
    pem.extend_from_slice(key.serialize_pem().as_bytes());
    Ok(pem)
}

/// Shows the proofs that the authority asks for, and has it look.
async fn prove(order: &mut Order, certificates: &Certificates) -> Result<()> {
    let mut shown = HashMap::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization =
            authorization.context("the authority does not say what it wants to see")?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            // It has looked before and remembers.
            AuthorizationStatus::Valid => continue,
            status => bail!("the authority will not look: {status:?}"),
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.context("the authority does not look by TLS-ALPN-01")?;
        let name = challenge.identifier().to_string();
        let proof = proof(&name, challenge.key_authorization().digest().as_ref())?;
        shown.insert(name, proof);
        certificates.show_challenges(shown.clone());
        challenge.set_ready().await.context("the authority will not look")?;
    }
    Ok(())
}

/// What the authority is shown (RFC 8737, section 3): a certificate for the name of our own, with a
/// digest in it that only the owner of the account knows.
fn proof(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![certificate.der().clone()];
    // It is not compared with its certificate, whose critical extension only authorities know.
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

/// Why an order came to nothing, in the authority's words.
async fn reason(order: &mut Order) -> anyhow::Error {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        // What was fetched before is as it was then.
        let Ok(state) = authorization.refresh().await else { continue };
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            let name = state.identifier();
            return anyhow::anyhow!("the authority could not see that {name} is here: {problem}");
        }
    }
    anyhow::anyhow!("the authority refused the order and does not say why")
}

//! Hashes and verifies passwords.
//!
//! Argon2id (RFC 9106), as PHC strings, which include their parameters: a hash with other
//! parameters is still verified, and rehashed when its password is known again.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use ctutils::CtEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use chat_proto::secret::Secret;

/// The cost of a hash: 19 MiB, two passes, one lane. The minimum for Argon2id in OWASP's Password
/// Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a hash, and of its salt.
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A stored hash that needs more memory isn't valid: 256 MiB.
const MAX_KIB: u32 = 256 * 1024;

/// A failure to hash or verify a password.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Memory could not be allocated.
    #[error("there is no memory to hash a password, which takes {} MiB", .kib / 1024)]
    HashMemory {
        /// The memory needed.
        kib: u32,
    },
    /// No randomness for the salt.
    #[error("the system gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// The stored hash is malformed or implausible.
    #[error("what is stored as the hash of a password is none: {0}")]
    Stored(String),
}

/// The working memory of a hash, reused for the next one. It is zeroed on drop.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    fn take(&mut self, params: &Params) -> Result<&mut [Block], HashError> {
        let blocks = params.block_count();
        if let Some(more) = blocks.checked_sub(self.0.len()) {
            let trouble = |_| HashError::HashMemory { kib: params.m_cost() };
            self.0.try_reserve_exact(more).map_err(trouble)?;
            self.0.resize(blocks, Block::new());
        }
        Ok(&mut self.0)
    }
}

impl Drop for HashMemory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Block::zeroize);
    }
}

/// Returns a hash as a PHC string.
pub fn hash(password: &Secret, memory: &mut HashMemory) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    let params = usual().map_err(stored)?;
    let mut made = Zeroizing::new([0; HASH_BYTES]);
    fill(password, (Algorithm::Argon2id, Version::V0x13, &params), &salt, made.as_mut(), memory)?;
    phc(&params, &salt, made.as_ref()).map_err(stored)
}

/// Whether a password matches a hash. Takes as long if it doesn't.
pub fn verify(password: &Secret, phc: &str, memory: &mut HashMemory) -> Result<bool, HashError> {
    let kept = PasswordHash::new(phc).map_err(stored)?;
    let params = Params::try_from(&kept).map_err(stored)?;
    let algorithm = Algorithm::try_from(kept.algorithm.as_str()).map_err(stored)?;
    let version = kept.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(stored)?;
    let (Some(salt), Some(expected)) = (kept.salt, kept.hash) else {
        return Err(stored("it has no salt or no end"));
    };
    if params.m_cost() > MAX_KIB {
        return Err(stored("it asks for too much memory"));
    }
    let mut made = Zeroizing::new(vec![0; expected.len()]);
    fill(password, (algorithm, version, &params), &salt, &mut made, memory)?;
    Ok(made.as_slice().ct_eq(expected.as_bytes()).to_bool())
}

/// Whether a hash has other parameters than new ones.
pub fn needs_rehash(phc: &str) -> bool {
    let is_usual = || {
        let kept = PasswordHash::new(phc).ok()?;
        let usual = ParamsString::try_from(&usual().ok()?).ok()?;
        let is_long = kept.hash?.len() == HASH_BYTES && kept.salt?.len() == SALT_BYTES;
        let is_ours = kept.algorithm == ARGON2ID_IDENT
            && kept.version == Some(Version::V0x13.into())
            && kept.params == usual;
        Some(is_long && is_ours)
    };
    is_usual() != Some(true)
}

/// Returns a hash without a known password, for names without an account: verifying it takes as
/// long.
pub fn dummy_hash() -> Result<String, HashError> {
    let params = usual().map_err(stored)?;
    phc(&params, &[0; SALT_BYTES], &[0; HASH_BYTES]).map_err(stored)
}

fn usual() -> Result<Params, argon2::Error> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES))
}

fn fill(
    password: &Secret,
    (algorithm, version, params): (Algorithm, Version, &Params),
    salt: &[u8],
    made: &mut [u8],
    memory: &mut HashMemory,
) -> Result<(), HashError> {
    let blocks = memory.take(params)?;
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let password = password.expose().as_bytes();
    argon2.hash_password_into_with_memory(password, salt, made, blocks).map_err(stored)
}

fn phc(
    params: &Params,
    salt: &[u8],
    hash: &[u8],
) -> Result<String, argon2::password_hash::phc::Error> {
    let made = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).unwrap_or_default(),
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(hash)?),
    };
    Ok(made.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err` by name")]
fn stored(problem: impl ToString) -> HashError {
    HashError::Stored(problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash of "password" from the tests of the reference implementation (`src/test.c`).
    const OTHER: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn a_password_is_right_or_wrong() {
        let mut memory = HashMemory::default();
        let password = Secret::new("correct horse");
        let (one, other) =
            (hash(&password, &mut memory).unwrap(), hash(&password, &mut memory).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
        assert!(verify(&password, &one, &mut memory).unwrap());
        for wrong in ["correct hors", "correct horse ", "", "Correct horse"] {
            assert!(!verify(&Secret::new(wrong), &one, &mut memory).unwrap(), "{wrong}");
        }
        assert!(!needs_rehash(&one));
        let dummy_hash = dummy_hash().unwrap();
        assert!(
            !verify(&password, &dummy_hash, &mut memory).unwrap() && !needs_rehash(&dummy_hash)
        );
    }

    #[test]
    fn hashes_with_other_parameters_are_verified_and_rehashed() {
        let mut memory = HashMemory::default();
        assert!(verify(&Secret::new("password"), OTHER, &mut memory).unwrap());
        assert!(!verify(&Secret::new("passwort"), OTHER, &mut memory).unwrap());
        assert!(needs_rehash(OTHER) && needs_rehash("nothing"));
        // Memory that is too large by now works as well.
        let usual = hash(&Secret::new("password"), &mut memory).unwrap();
        assert!(verify(&Secret::new("password"), &usual, &mut HashMemory::default()).unwrap());
    }

    #[test]
    fn a_malformed_hash_is_an_error_and_no_wrong_password() {
        let mut memory = HashMemory::default();
        let greedy = OTHER.replace("m=65536", "m=4000000000");
        for stored in ["", "secret", "$argon2id$v=19$m=19456,t=2,p=1", &greedy] {
            let verified = verify(&Secret::new("password"), stored, &mut memory);
            assert!(matches!(verified, Err(HashError::Stored(_))), "{stored}");
        }
    }
}

//! Opening: what stands in the directory becomes the index, and what a crash or the disk has done to it
//! is found out, told, and settled before anything is served.
//!
//! - `examine`: one segment: intact, torn at its end, or damaged
//! - `scan`: the index from all segments
//! - `load`: the index from the checkpoint
//! - `mend`: cutting tails and setting segments aside

mod examine;
mod load;
mod mend;
pub(super) mod scan;

pub(super) use examine::{Condition, Expected, examine};
pub(super) use scan::{Keys, numbers};

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Offset, Position};

use super::files::{Files, Lock};
use super::format::body::JumpBody;
use super::format::segment::{Beginning as SegmentBeginning, FooterChannel, SegmentHeader};
use super::format::store::{Identity, Store};
use super::index::{COPY_JUMPS, Index, JUMP, SegmentState, Slot};
use super::options::{
    LogOptions, OnCorruption, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENTS_MIN,
};
use super::outcome::{Damage, Left, OpenError, Opened, SetAside, Wrong};
use super::shared::{Paths, Shared};
use super::write::{Active, Beginning, Chore, FoundActive, Writer, begin_segment, salt};
use examine::ActiveEnd;
use load::{Loaded, Loader};
use mend::{Mender, draw};
use scan::{Damaged, Known, Scan};

/// A log that is open and not yet started.
#[derive(Debug)]
pub(super) struct Ready {
    pub shared: Arc<Shared>,
    pub writer: Writer,
    pub keys: Keys,
}

/// What opening goes through.
struct Opening {
    options: LogOptions,
    paths: Paths,
    files: Files,
    now: u64,
    lock: Lock,
}

/// What became of the file that says what the store is.
enum Found {
    /// There is none, and nothing else either.
    Nothing,
    /// It is as it was written.
    Store(Store),
    /// It is not, or it is missing; this is what the segments say.
    Broken(Option<Store>),
}

/// Opens the log in a directory.
pub(super) fn open(
    options: LogOptions,
    directory: &Path,
    files: Files,
) -> Result<(Ready, Opened), OpenError> {
    check(&options)?;
    let paths = Paths::new(directory);
    let made = files.make_directory(paths.root());
    made.and_then(|()| files.make_directory(&paths.segments())).map_err(scan::at(&paths))?;
    let lock = files.lock(&paths.lock()).map_err(scan::at(&paths))?.map_err(|holder| {
        let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
        OpenError::Locked { directory: directory.to_owned(), holder }
    })?;
    let now = options.clock.unix();
    let opening = Opening { options, paths, files, now, lock };
    let found = opening.identify()?;
    let failed = scan::at(&opening.paths);
    opening.open(found).map_err(|error| match error {
        Failure::Open(error) => error,
        Failure::Io(error) => failed(error),
    })
}

/// Why opening fails.
enum Failure {
    Open(OpenError),
    /// In the log's directory.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

fn check(options: &LogOptions) -> Result<(), OpenError> {
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes) {
        return Err(OpenError::Options("a segment of the log has 16 KiB to 256 MiB"));
    }
    if options.bytes_max < options.segment_bytes.saturating_mul(SEGMENTS_MIN) {
        return Err(OpenError::Options(
            "the bound of the log has room for eight segments at least",
        ));
    }
    Ok(())
}

impl Opening {
    /// Reads what the store is. A store that a newer version made is left alone.
    fn identify(&self) -> Result<Found, OpenError> {
        let file = self.paths.store();
        let bytes = match self.files.read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(OpenError::Io { file, error }),
            Ok(bytes) => Some(bytes),
        };
        match bytes.as_deref().map(Store::of) {
            Some(Identity::Newer(version)) => return Err(OpenError::Newer { file, version }),
            Some(Identity::Intact(store)) => return Ok(Found::Store(store)),
            Some(Identity::Broken) | None => {}
        }
        let numbers = numbers(&self.files, &self.paths).map_err(scan::at(&self.paths))?;
        if numbers.is_empty() && bytes.is_none() {
            return Ok(Found::Nothing);
        }
        let mut headers = numbers.iter().rev().filter_map(|number| {
            let bytes = self.files.read(&self.paths.segment(*number)).ok()?;
            match SegmentHeader::of(&bytes) {
                SegmentBeginning::Intact(header) => Some(header),
                _ => None,
            }
        });
        Ok(Found::Broken(headers.next().map(|header| Store {
            generation: header.generation,
            mark: header.mark,
            time: self.now,
            // A copy that was not finished has none.
            copied: bytes.is_none(),
        })))
    }

    fn open(self, found: Found) -> Result<(Ready, Opened), Failure> {
        self.tidy()?;
        let store = match found {
            Found::Nothing => return self.begin(),
            Found::Store(store) => store,
            Found::Broken(store) => {
                let (file, position, what) = (self.paths.store(), 0, Wrong::Header);
                let damage = Damage { file, position, what };
                if self.options.on_corruption == OnCorruption::Refuse {
                    return Err(OpenError::Damaged(damage).into());
                }
                let set_aside = SetAside { file: None, damage };
                let Some(store) = store else {
                    let (mut ready, mut opened) = self.begin()?;
                    ready.keys.clear();
                    (opened.left, opened.begins_anew) = (Left::Unclean, true);
                    opened.set_aside.push(set_aside);
                    return Ok((ready, opened));
                };
                self.files.replace(&self.paths.store(), &store.to_bytes())?;
                let (ready, mut opened) = self.scan(store, None)?;
                opened.set_aside.push(set_aside);
                return Ok((ready, opened));
            }
        };
        if numbers(&self.files, &self.paths)?.is_empty() {
            // It was being made when it was left: nobody was served.
            return self.begin();
        }
        let (files, paths, now) = (&self.files, &self.paths, self.now);
        let loader = Loader { files, paths, store, now };
        if let Some(loaded) = loader.load(Arc::clone(&self.options.rules)) {
            return self.clean(loaded);
        }
        let newest = loader.newest();
        self.scan(store, newest)
    }

    /// Removes a checkpoint that is not as everything else.
    fn discard_checkpoint(&self) -> io::Result<()> {
        match self.files.remove(&self.paths.checkpoint()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.files.sync_directory(self.paths.root())),
        }
    }

    /// Removes what was being made when the log was left.
    fn tidy(&self) -> io::Result<()> {
        for directory in [self.paths.root().to_owned(), self.paths.segments()] {
            for name in self.files.names(&directory)? {
                if name.ends_with(".new") {
                    self.files.remove(&directory.join(name))?;
                }
            }
        }
        Ok(())
    }

    /// Makes a store. What segments there are that nothing can be told of are set aside.
    fn begin(self) -> Result<(Ready, Opened), Failure> {
        self.discard_checkpoint()?;
        let numbers = numbers(&self.files, &self.paths)?;
        let generation = draw(self.options.random);
        let store = Store { generation, mark: 0, time: self.now, copied: false };
        self.files.replace(&self.paths.store(), &store.to_bytes())?;
        if !numbers.is_empty() {
            self.mender().set_all_aside(&numbers)?;
        }
        let number = numbers.last().copied().unwrap_or(0).saturating_add(1);
        let index = Index::new(generation, 0, Arc::clone(&self.options.rules));
        self.ready(index, number, 1, Left::New)
    }

    /// Goes on where a stop has left off.
    fn clean(self, loaded: Loaded) -> Result<(Ready, Opened), Failure> {
        let Loaded { index, keys, active: (end, slot, names), oldest, obsolete } = loaded;
        let mark = index.mark;
        let aside = self.mender().bytes_aside();
        let shared = self.share(index);
        shared.cells.bytes_beside.store(aside, Relaxed);
        remove(&shared, &obsolete)?;
        let active = go_on(&shared, end, slot, names)?;
        let beginning =
            Beginning { active, mark, oldest, checkpoint: true, chores: VecDeque::new() };
        let opened = opened(&shared.index(), Left::Clean);
        let writer = Writer::new(Arc::clone(&shared), beginning);
        Ok((Ready { shared, writer, keys }, opened))
    }

    /// Reads everything, and settles what a crash has done.
    fn scan(self, store: Store, newest: Option<u64>) -> Result<(Ready, Opened), Failure> {
        let rules = Arc::clone(&self.options.rules);
        let index = Index::new(store.generation, store.mark, rules);
        let known = Known { generation: Some(store.generation), newest };
        let scan = scan::scan(&self.files, &self.paths, index, known, self.now)?;
        if let Some(first) = scan.damaged.first()
            && self.options.on_corruption == OnCorruption::Refuse
        {
            return Err(OpenError::Damaged(first.damage.clone()).into());
        }
        let unknown =
            |damaged: &Damaged| damaged.held.channels.is_none() || damaged.held.mark.is_none();
        if scan.damaged.iter().any(unknown) {
            return self.begin_anew(scan);
        }
        self.discard_checkpoint()?;
        self.recover(scan, store)
    }

    /// Nobody can say which channels were damaged: every one of them begins anew.
    fn begin_anew(self, scan: Scan) -> Result<(Ready, Opened), Failure> {
        self.discard_checkpoint()?;
        let generation = draw(self.options.random);
        let mark = scan.index.mark.saturating_add(JUMP);
        // From here on every segment that is there belongs to another generation.
        let store = Store { generation, mark, time: self.now, copied: false };
        self.files.replace(&self.paths.store(), &store.to_bytes())?;
        let numbers = numbers(&self.files, &self.paths)?;
        let mender = self.mender();
        mender.set_all_aside(&numbers)?;
        let aside = |damaged: Damaged| {
            let there = numbers.contains(&damaged.number);
            let file = there.then(|| self.paths.aside(damaged.number, self.now));
            SetAside { file, damage: damaged.damage }
        };
        let set_aside = scan.damaged.into_iter().map(aside).collect();
        let index = Index::new(generation, mark, Arc::clone(&self.options.rules));
        let (newest, sequence) = (scan.newest.saturating_add(1), scan.sequence);
        let (ready, opened) = self.ready(index, newest, sequence, Left::Unclean)?;
        Ok((ready, Opened { set_aside, begins_anew: true, ..opened }))
    }

    /// Goes on with what is intact: cuts the tail, has channels go on far above their heads, and those
    /// that were damaged begin anew.
    fn recover(self, scan: Scan, store: Store) -> Result<(Ready, Opened), Failure> {
        let random = self.options.random;
        let Scan { mut index, mut keys, active, sequence, newest, oldest, obsolete, .. } = scan;
        keys.retain(|name, _| index.id(name).is_some());
        let cut = match &active {
            Some((end, ..)) => self.mender().cut(end)?,
            None => 0,
        };
        let mut mark = forget_unfounded(&mut index);
        let jumps = if store.copied { COPY_JUMPS } else { 1 };
        if scan.loose || cut > 0 || !scan.damaged.is_empty() || store.copied {
            // Channels may have been seen that the log knows nothing of.
            mark = mark.saturating_add(JUMP.saturating_mul(jumps.into()));
        }
        let mut chores = VecDeque::from([Chore::Jump(JumpBody { time: self.now, jumps })]);
        let anew = touched(&scan.damaged, &index, mark);
        for (name, begin) in &anew {
            chores.push_back(Chore::Anew(name.clone(), Position::new(*begin, draw(random))));
        }
        let generation = index.generation;
        let (files, paths, now) = (self.files.clone(), self.paths.clone(), self.now);
        let shared = self.share(index);
        remove(&shared, &obsolete)?;
        let active = match active {
            Some((end, slot, names)) => go_on(&shared, end, slot, names)?,
            None => {
                let (number, salt) = (newest.saturating_add(1), salt(random));
                let header =
                    SegmentHeader { number, first: sequence, generation, mark, time: now, salt };
                begin_segment(&shared, header)?
            }
        };
        let beginning = Beginning { active, mark, oldest, checkpoint: false, chores };
        let mut writer = Writer::new(Arc::clone(&shared), beginning);
        writer.settle_chores()?;
        let mender = Mender { files: &files, paths: &paths, now };
        let mut set_aside = Vec::new();
        for damaged in scan.damaged {
            let (number, salt) = (damaged.number, salt(random));
            let header =
                SegmentHeader { number, first: sequence, generation, mark, time: now, salt };
            let (aside, length) = mender.replace(damaged, header, mark)?;
            shared.index().segments.replace(SegmentState::new(number, salt, length, true));
            set_aside.push(aside);
        }
        shared.cells.bytes_beside.store(mender.bytes_aside(), Relaxed);
        let left = if store.copied { Left::Copied } else { Left::Unclean };
        if store.copied {
            files.replace(&paths.store(), &Store { copied: false, ..store }.to_bytes())?;
        }
        let opened = opened(&shared.index(), left);
        let channels_anew = anew.len();
        let opened = Opened { cut, set_aside, channels_anew, ..opened };
        Ok((Ready { shared, writer, keys }, opened))
    }

    /// A log that begins with a segment of its own.
    fn ready(
        self,
        index: Index,
        number: u64,
        first: u64,
        left: Left,
    ) -> Result<(Ready, Opened), Failure> {
        let (generation, mark) = (index.generation, index.mark);
        let (random, time) = (self.options.random, self.now);
        let aside = self.mender().bytes_aside();
        let shared = self.share(index);
        shared.cells.bytes_beside.store(aside, Relaxed);
        let salt = salt(random);
        let header = SegmentHeader { number, first, generation, mark, time, salt };
        let active = begin_segment(&shared, header)?;
        let chores = VecDeque::new();
        let beginning = Beginning { active, mark, oldest: number, checkpoint: false, chores };
        let writer = Writer::new(Arc::clone(&shared), beginning);
        let opened = opened(&shared.index(), left);
        Ok((Ready { shared, writer, keys: Keys::new() }, opened))
    }

    fn mender(&self) -> Mender<'_> {
        Mender { files: &self.files, paths: &self.paths, now: self.now }
    }

    fn share(self, index: Index) -> Arc<Shared> {
        let Self { options, paths, files, lock, .. } = self;
        Arc::new(Shared::new(options, paths, files, lock, index))
    }
}

/// The channels that damaged segments held, and where each of them begins anew.
fn touched(damaged: &[Damaged], index: &Index, mark: Offset) -> HashMap<ChannelName, Offset> {
    let mut touched = HashMap::new();
    let held = damaged.iter().flat_map(|damaged| damaged.held.channels.iter().flatten());
    for FooterChannel { name, highest, .. } in held {
        let known = index.find(name).map_or(0, |channel| channel.stored.head);
        let begin = mark.max(known).max(*highest);
        let before = touched.entry(name.clone()).or_insert(begin);
        *before = begin.max(*before);
    }
    touched
}

/// Lets go of channels of which only copies were found; says the mark that this leaves.
fn forget_unfounded(index: &mut Index) -> Offset {
    let unfounded = index.iter().filter(|channel| !channel.written());
    let names: Vec<(ChannelName, Offset)> =
        unfounded.map(|channel| (channel.name.clone(), channel.stored.head)).collect();
    for (name, head) in names {
        index.mark = index.mark.max(head);
        if let Some(id) = index.id(&name) {
            index.forget(id);
        }
    }
    index.mark
}

/// Goes on with the segment that was written to last.
fn go_on(
    shared: &Shared,
    end: ActiveEnd,
    slot: Slot,
    names: Vec<FooterChannel>,
) -> io::Result<Active> {
    let ActiveEnd { header, position, sequence, checksum, .. } = end;
    let found = FoundActive { header, slot, position, sequence, checksum, names };
    let active = Active::go_on(&shared.files, &shared.paths, found, shared.options.segment_bytes)?;
    let mut index = shared.index();
    if let Some(segment) = index.segments.get_mut(slot) {
        (segment.length, segment.sealed, segment.salt) = (active.capacity, false, header.salt);
    }
    Ok(active)
}

/// Removes files of segments that are not needed any more.
fn remove(shared: &Shared, obsolete: &[u64]) -> io::Result<()> {
    for number in obsolete {
        shared.files.remove(&shared.paths.segment(*number))?;
    }
    if obsolete.is_empty() { Ok(()) } else { shared.files.sync_directory(&shared.paths.segments()) }
}

fn opened(index: &Index, left: Left) -> Opened {
    Opened {
        generation: index.generation,
        mark: index.mark,
        left,
        cut: 0,
        set_aside: Vec::new(),
        begins_anew: false,
        channels_anew: 0,
        channels: index.len(),
        publications: index.segments.publications,
    }
}

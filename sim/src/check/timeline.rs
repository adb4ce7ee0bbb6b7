//! Invocations and completions in the order of their times, as a list that operations can be lifted out of and put back.
//!
//! ```text
//!   END ⇄ a( ⇄ b( ⇄ )a ⇄ c( ⇄ )b ⇄ )c ⇄ END        a( is invoked, )a must have taken effect
//!         └─────┘ may be placed next: those before the first completion that is left
//! ```
//!
//! Lifting both ends of an operation costs four writes and is undone by four, in the opposite order (Lowe 2017, after Wing
//! and Gong; Knuth's dancing links). At equal times invocations come first: what meets in one microsecond overlaps.

/// The place before the first event and after the last.
pub(crate) const END: u32 = 0;

/// What stands at a place of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// This step was invoked.
    Invoked(u32),
    /// This step must have taken effect.
    Due(u32),
}

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

/// The list, of the steps that are not lifted.
#[derive(Debug)]
pub(crate) struct Timeline {
    events: Vec<Event>,
    links: Vec<Link>,
    /// For each step, the places of its two events.
    places: Vec<(u32, u32)>,
}

impl Timeline {
    /// The events of all steps, which are ordered by invocation. `span` tells when one was invoked, and when it has taken
    /// effect at the latest.
    pub(crate) fn of<S>(steps: &[S], span: impl Fn(&S) -> (u64, u64)) -> Self {
        let spans: Vec<(u64, u64)> = steps.iter().map(span).collect();
        let mut due: Vec<u32> = (0..steps.len() as u32).collect();
        due.sort_by_key(|&step| spans[step as usize].1);
        let last = 2 * steps.len() as u32;
        let mut timeline = Self {
            // The first is never looked at: it stands for END.
            events: Vec::with_capacity(last as usize + 1),
            links: (0..=last)
                .map(|place| Link {
                    previous: place.checked_sub(1).unwrap_or(last),
                    next: if place == last { END } else { place + 1 },
                })
                .collect(),
            places: vec![(END, END); steps.len()],
        };
        timeline.events.push(Event::Due(u32::MAX));
        let mut due = due.into_iter().peekable();
        for (number, &(invoked, _)) in spans.iter().enumerate() {
            while let Some(done) = due.next_if(|&done| spans[done as usize].1 < invoked) {
                timeline.push_due(done);
            }
            timeline.places[number].0 = timeline.events.len() as u32;
            timeline.events.push(Event::Invoked(number as u32));
        }
        for done in due {
            timeline.push_due(done);
        }
        timeline
    }

    fn push_due(&mut self, step: u32) {
        self.places[step as usize].1 = self.events.len() as u32;
        self.events.push(Event::Due(step));
    }

    /// The first place; `END` when every step is lifted.
    pub(crate) fn first(&self) -> u32 {
        self.links[END as usize].next
    }

    pub(crate) fn next(&self, place: u32) -> u32 {
        self.links[place as usize].next
    }

    pub(crate) fn previous(&self, place: u32) -> u32 {
        self.links[place as usize].previous
    }

    /// The event at a place other than `END`.
    pub(crate) fn event(&self, place: u32) -> Event {
        self.events[place as usize]
    }

    /// Takes a step's two events out of the list.
    pub(crate) fn lift(&mut self, step: u32) {
        let (invoked, due) = self.places[step as usize];
        self.unlink(invoked);
        self.unlink(due);
    }

    /// Puts the step that was lifted last back where it was.
    pub(crate) fn unlift(&mut self, step: u32) {
        let (invoked, due) = self.places[step as usize];
        self.relink(due);
        self.relink(invoked);
    }

    fn unlink(&mut self, place: u32) {
        let Link { previous, next } = self.links[place as usize];
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
    }

    fn relink(&mut self, place: u32) {
        let Link { previous, next } = self.links[place as usize];
        self.links[previous as usize].next = place;
        self.links[next as usize].previous = place;
    }
}

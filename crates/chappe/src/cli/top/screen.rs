//! The terminal: taken over while it lasts, given back however it ends.

use std::io::{self, Stdout, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{execute, queue};

use super::frame::{Frame, Style};
use super::view::Key;

/// A terminal that shows frames. What was on it comes back when this is dropped.
pub(super) struct Screen {
    out: Stdout,
    colours: bool,
    shown: Option<Frame>,
}

/// How wide the terminal is, if there is one.
pub(super) fn width() -> Option<usize> {
    terminal::size().ok().map(|(width, _)| usize::from(width)).filter(|width| *width > 0)
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open(colours: bool) -> io::Result<Screen> {
        terminal::enable_raw_mode()?;
        // From here on it is given back.
        let mut screen = Screen { out: io::stdout(), colours, shown: None };
        execute!(screen.out, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> io::Result<(usize, usize)> {
        let (width, height) = terminal::size()?;
        Ok((usize::from(width), usize::from(height)))
    }

    /// Shows a frame, unless it is there already.
    pub(super) fn draw(&mut self, frame: &Frame) -> io::Result<()> {
        if self.shown.as_ref() == Some(frame) {
            return Ok(());
        }
        for (n, line) in frame.lines.iter().enumerate() {
            let Ok(row) = u16::try_from(n) else { break };
            queue!(self.out, MoveTo(0, row), Clear(ClearType::CurrentLine))?;
            for (style, text) in &line.0 {
                let colour = match style {
                    Style::Good => Some(Color::DarkGreen),
                    Style::Doubtful => Some(Color::DarkYellow),
                    Style::Bad => Some(Color::DarkRed),
                    Style::Plain | Style::Bold | Style::Inverse => None,
                };
                if let Some(colour) = colour.filter(|_| self.colours) {
                    queue!(self.out, SetForegroundColor(colour))?;
                }
                let attribute = match style {
                    Style::Inverse => Some(Attribute::Reverse),
                    Style::Bold => Some(Attribute::Bold),
                    Style::Plain | Style::Good | Style::Doubtful | Style::Bad => None,
                };
                if let Some(attribute) = attribute {
                    queue!(self.out, SetAttribute(attribute))?;
                }
                queue!(self.out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            }
        }
        queue!(self.out, Clear(ClearType::FromCursorDown))?;
        self.shown = Some(frame.clone());
        self.out.flush()
    }

    /// The next key that means something, if one is pressed in time. The size of the screen may have changed if none is.
    pub(super) fn key(&mut self, patience: Duration) -> io::Result<Option<Key>> {
        if !event::poll(patience)? {
            return Ok(None);
        }
        let pressed = match event::read()? {
            Event::Key(pressed) if pressed.kind != KeyEventKind::Release => pressed,
            Event::Resize(_, _) => {
                self.shown = None;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(match pressed.code {
            KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Interrupt),
            KeyCode::Char(character) => Some(Key::Character(character)),
            KeyCode::Up => Some(Key::Up),
            KeyCode::Down => Some(Key::Down),
            KeyCode::Esc => Some(Key::Escape),
            _ => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to be told.
        let _ = execute!(self.out, Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}
